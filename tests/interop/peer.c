/*
 * One end of an interoperation test:
 *
 *	peer [--haven TAP] --listen|--connect ADDRESS PORT [--send BYTES] [...]
 *
 * Says "ready" when the other end may be started, and one line of JSON when the connection is
 * over. An end in haven then goes on answering until its standard input ends.
 */
#include "peer.h"

#include <arpa/inet.h>
#include <getopt.h>
#include <inttypes.h>
#include <linux/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <time.h>

void peer_note_info(struct peer_result *result, const struct tcp_info *info)
{
	result->options = info->tcpi_options;
	result->rtt_us = info->tcpi_rtt;
	result->retransmits = info->tcpi_total_retrans;
	result->mss = info->tcpi_snd_mss;
	result->cwnd = info->tcpi_snd_cwnd;
}

uint64_t peer_now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

void peer_is_ready(void)
{
	puts("ready");
	fflush(stdout);
}

void peer_tell(const struct stream *stream, const struct peer_result *result)
{
	printf("{\"error\": \"%s\", \"connected\": %s, \"closed\": %s, \"wrong\": %s, "
	       "\"wrong_at\": %" PRIu64 ", \"finished\": %s, \"sent\": %" PRIu64
	       ", \"received\": %" PRIu64 ", \"seconds\": %.3f, \"options\": %u, "
	       "\"rtt_us\": %u, \"retransmits\": %u, \"mss\": %u, \"cwnd\": %u}\n",
	       result->error, result->connected ? "true" : "false",
	       result->closed ? "true" : "false", stream->wrong ? "true" : "false",
	       stream->wrong_at, stream->finished ? "true" : "false", stream->sent,
	       stream->received, (double)(stream->last_ns - stream->first_ns) / 1e9,
	       result->options, result->rtt_us, result->retransmits, result->mss, result->cwnd);
	fflush(stdout);
}

static bool parse_address(struct peer_options *options, const char *address, const char *port)
{
	struct sockaddr_in *v4 = (struct sockaddr_in *)&options->address;
	struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)&options->address;
	in_port_t number = htons((uint16_t)strtoul(port, NULL, 10));

	if (inet_pton(AF_INET, address, &v4->sin_addr) == 1) {
		v4->sin_family = AF_INET;
		v4->sin_port = number;
		options->address_size = sizeof(*v4);
		return true;
	}
	v6->sin6_family = AF_INET6;
	v6->sin6_port = number;
	options->address_size = sizeof(*v6);
	return inet_pton(AF_INET6, address, &v6->sin6_addr) == 1;
}

static bool parse(int argc, char **argv, struct peer_options *options, uint64_t *to_send)
{
	static const struct option names[] = {{"haven", required_argument, NULL, 'h'},
					      {"listen", no_argument, NULL, 'l'},
					      {"connect", no_argument, NULL, 'c'},
					      {"send", required_argument, NULL, 's'},
					      {"seconds", required_argument, NULL, 't'},
					      {"mtu", required_argument, NULL, 'm'},
					      {"sndbuf", required_argument, NULL, 'S'},
					      {"rcvbuf", required_argument, NULL, 'R'},
					      {"no-quick-acks", no_argument, NULL, 'Q'},
					      {"congestion", required_argument, NULL, 'C'},
					      {"pcap", required_argument, NULL, 'p'},
					      {"no-pacing", no_argument, NULL, 'P'},
					      {"ecn", required_argument, NULL, 'E'},
					      {"mtu-probing", required_argument, NULL, 'M'},
					      {NULL, 0, NULL, 0}};
	int letter;

	while ((letter = getopt_long(argc, argv, "", names, NULL)) != -1) {
		switch (letter) {
		case 'h':
			options->tap = optarg;
			break;
		case 'l':
		case 'c':
			options->listens = letter == 'l';
			break;
		case 's':
			*to_send = strtoull(optarg, NULL, 10);
			break;
		case 't':
			options->seconds = strtod(optarg, NULL);
			*to_send = UINT64_MAX;
			break;
		case 'm':
			options->mtu = (uint32_t)strtoul(optarg, NULL, 10);
			break;
		case 'S':
			options->send_buffer = (int)strtol(optarg, NULL, 10);
			break;
		case 'R':
			options->receive_buffer = (int)strtol(optarg, NULL, 10);
			break;
		case 'C':
			options->congestion = optarg;
			break;
		case 'Q':
			options->no_quick_acks = true;
			break;
		case 'P':
			options->no_pacing = true;
			break;
		case 'E':
			options->ecn = (int)strtol(optarg, NULL, 10);
			break;
		case 'M':
			options->mtu_probing = (int)strtol(optarg, NULL, 10);
			break;
		case 'p':
			options->pcap = optarg;
			break;
		default:
			return false;
		}
	}
	return argc - optind == 2 && parse_address(options, argv[optind], argv[optind + 1]);
}

int main(int argc, char **argv)
{
	struct peer_options options = {.mtu = 1500, .ecn = -1, .mtu_probing = -1};
	struct peer_result result = {0};
	struct stream stream;
	uint64_t to_send = 0;

	if (!parse(argc, argv, &options, &to_send) || !stream_init(&stream, to_send))
		return 2;
	prctl(PR_SET_TIMERSLACK, 1);
	if (options.tap) {
		peer_haven(&options, &stream, &result);
	} else {
		peer_kernel(&options, &stream, &result);
		peer_tell(&stream, &result);
	}
	stream_finish(&stream);
	return *result.error || stream.wrong;
}
