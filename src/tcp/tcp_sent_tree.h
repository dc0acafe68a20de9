/* Records of what was sent, to be found by sequence number: tcp_sent_tree.c. */
#ifndef HV_TCP_SENT_TREE_H
#define HV_TCP_SENT_TREE_H

#include "tcp/tcp_scoreboard.h"

/* sent->priority is set, its sequence is of no other record. */
void hv_tcp_sent_tree_insert(struct hv_tcp_sent **root, struct hv_tcp_sent *sent);
void hv_tcp_sent_tree_remove(struct hv_tcp_sent **root, struct hv_tcp_sent *sent);
/* The last record that begins at or before seq. NULL: none. */
struct hv_tcp_sent *hv_tcp_sent_tree_find(struct hv_tcp_sent *root, uint32_t seq);

#endif
