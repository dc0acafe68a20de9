/*
 * The index of the scoreboard: a treap, that is a search tree by sequence number that is a heap by a priority
 * which the peer cannot know. It is as deep as the logarithm of its size, whatever stretches a peer
 * acknowledges: an ACK finds its place among thousands of records without walking along them.
 */
#include "tcp/tcp_sent_tree.h"

/* All below seq to *low, the rest to *high. */
static void divide(struct hv_tcp_sent *tree, uint32_t seq, struct hv_tcp_sent **low,
		   struct hv_tcp_sent **high)
{
	while (tree) {
		if (hv_seq_lt(tree->seq, seq)) {
			*low = tree;
			low = &tree->right;
			tree = tree->right;
		} else {
			*high = tree;
			high = &tree->left;
			tree = tree->left;
		}
	}
	*low = NULL;
	*high = NULL;
}

void hv_tcp_sent_tree_insert(struct hv_tcp_sent **root, struct hv_tcp_sent *sent)
{
	while (*root && (*root)->priority >= sent->priority)
		root = hv_seq_lt((*root)->seq, sent->seq) ? &(*root)->right : &(*root)->left;
	divide(*root, sent->seq, &sent->left, &sent->right);
	*root = sent;
}

void hv_tcp_sent_tree_remove(struct hv_tcp_sent **root, struct hv_tcp_sent *sent)
{
	struct hv_tcp_sent *low = sent->left, *high = sent->right;

	while (*root != sent)
		root = hv_seq_lt((*root)->seq, sent->seq) ? &(*root)->right : &(*root)->left;
	while (low && high) {
		if (low->priority >= high->priority) {
			*root = low;
			root = &low->right;
			low = low->right;
		} else {
			*root = high;
			root = &high->left;
			high = high->left;
		}
	}
	*root = low ? low : high;
}

struct hv_tcp_sent *hv_tcp_sent_tree_find(struct hv_tcp_sent *root, uint32_t seq)
{
	struct hv_tcp_sent *best = NULL;

	while (root) {
		if (hv_seq_leq(root->seq, seq)) {
			best = root;
			root = root->right;
		} else {
			root = root->left;
		}
	}
	return best;
}
