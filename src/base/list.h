/* Intrusive doubly linked list with a head of its own. */
#ifndef HV_BASE_LIST_H
#define HV_BASE_LIST_H

#include <stdbool.h>
#include <stddef.h>

struct hv_list {
	struct hv_list *next, *prev;
};

#define hv_container(pointer, type, member) ((type *)((char *)(pointer)-offsetof(type, member)))

static inline void hv_list_init(struct hv_list *list)
{
	list->next = list->prev = list;
}
static inline bool hv_list_is_empty(const struct hv_list *list)
{
	return list->next == list;
}
static inline void hv_list_append(struct hv_list *list, struct hv_list *node)
{
	node->prev = list->prev;
	node->next = list;
	list->prev->next = node;
	list->prev = node;
}
/* The node may be initialised and in no list: then nothing happens. It can be removed twice. */
static inline void hv_list_remove(struct hv_list *node)
{
	node->next->prev = node->prev;
	node->prev->next = node->next;
	hv_list_init(node);
}
static inline struct hv_list *hv_list_pop(struct hv_list *list)
{
	struct hv_list *node = list->next;

	if (node == list)
		return NULL;
	hv_list_remove(node);
	return node;
}

#endif
