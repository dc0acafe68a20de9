/*
 * The room's beginning and end, and the lists that hv_tcp_flush() works through.
 */
#include "tcp/tcp_conn.h"
#include "tcp/tcp_fastopen.h"
#include "tcp/tcp_half_open.h"
#include "tcp/tcp_request.h"
#include "tcp/tcp_send.h"
#include "tcp/tcp_timewait.h"

int hv_tcp_init(struct hv_tcp *tcp, struct hv_core *core, struct hv_ip *ip,
		struct hv_port_table *ports, const struct hv_tcp_config *config)
{
	*tcp = (struct hv_tcp){.core = core, .ip = ip, .ports = ports, .config = *config};
	hv_list_init(&tcp->connections);
	hv_list_init(&tcp->output);
	hv_list_init(&tcp->blocked);
	hv_list_init(&tcp->time_wait);
	hv_list_init(&tcp->requests);
	for (unsigned i = 0; i < HV_TCP_HALF_OPEN_LISTS; i++)
		hv_list_init(&tcp->half_open[i]);
	hv_timer_init(&tcp->half_open_timer, hv_tcp_half_open_fire);
	hv_timer_init(&tcp->time_wait_timer, hv_tcp_time_wait_fire);
	return 0;
}

void hv_tcp_finish(struct hv_tcp *tcp)
{
	while (!hv_list_is_empty(&tcp->connections))
		hv_tcp_conn_destroy(
			hv_container(tcp->connections.next, struct hv_tcp_conn, all));
	while (!hv_list_is_empty(&tcp->requests))
		hv_tcp_request_free(
			hv_container(tcp->requests.next, struct haven_request, link));
	for (unsigned i = 0; i < HV_TCP_HALF_OPEN_LISTS; i++)
		while (!hv_list_is_empty(&tcp->half_open[i]))
			hv_tcp_half_open_free(hv_container(tcp->half_open[i].next,
							   struct hv_tcp_half_open, link));
	hv_timer_cancel(&tcp->core->wheel, &tcp->half_open_timer);
	while (!hv_list_is_empty(&tcp->time_wait))
		hv_tcp_time_wait_end(tcp, hv_container(tcp->time_wait.next,
						       struct hv_tcp_time_wait, link));
	hv_timer_cancel(&tcp->core->wheel, &tcp->time_wait_timer);
	hv_tcp_fast_open_finish(tcp);
}

void hv_tcp_flush(struct hv_tcp *tcp)
{
	struct hv_list *node;

	while ((node = hv_list_pop(&tcp->output))) {
		struct hv_tcp_conn *conn = hv_container(node, struct hv_tcp_conn, output);

		hv_tcp_hold(conn);
		hv_tcp_send_pending(conn);
		hv_tcp_release(conn);
	}
}

void hv_tcp_writable(struct hv_tcp *tcp)
{
	struct hv_list *node;

	while ((node = hv_list_pop(&tcp->blocked)))
		hv_list_append(&tcp->output, node);
}
