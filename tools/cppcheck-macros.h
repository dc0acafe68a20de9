/*
 * What cppcheck must know of system headers, which it does not read: the loops of
 * <sys/queue.h>. Nothing is compiled with this.
 */
#define LIST_FOREACH(v, head, field) for ((v) = (head)->lh_first; (v); (v) = (v)->field.le_next)
#define TAILQ_FOREACH(v, head, field) \
	for ((v) = (head)->tqh_first; (v); (v) = (v)->field.tqe_next)
