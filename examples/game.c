/*
 * A game over datagrams that get lost, doubled and overtaken: eight players walk on a field, and whoever steps
 * on a square owns it. The server decides; all clients must end up with its field. Over TCP everybody would
 * wait for each lost packet. Here what was lost is not sent again: what is newer is sent instead.
 *
 *	- Client to server, each tick: its last moves, numbered, so that each is done once; and which snapshot it has.
 *	- Server to client, each tick: a numbered snapshot, as what has changed since that one. One that was overtaken is dropped.
 *
 *	cc game.c shared/{lan,sockets,network}.c $(pkg-config --cflags --libs libhaven)
 */
#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include "shared/lan.h"

#define BAD_PATH "loss=10% duplicate=2% reorder=5% delay=30ms jitter=20ms"
enum {
	PLAYERS = 8,
	WIDTH = 31,
	SQUARES = 8 * WIDTH,		 /* each a byte: its owner, 1 to 8, or 0 */
	STATE_BYTES = SQUARES + PLAYERS, /* 256: then where each player is */
	MOVES = 200,			 /* that each player makes */
	WINDOW = 32, /* moves that may be under way; number n is at n % WINDOW */
};

static const unsigned steps[] = {1, WIDTH, SQUARES - 1, SQUARES - WIDTH};

/* Integers in network byte order. Snapshots and moves count from 1: 0 is none. */
struct input {
	uint32_t player, snapshot, moves; /* the last one it has; made so far */
	uint8_t move[WINDOW];
};
struct snapshot {
	uint32_t number, moves;		  /* done so far */
	uint8_t changes[2 * STATE_BYTES]; /* place, value: as many as there are */
};

/* --- the server ------------------------------------------------------------------------------ */

struct player {
	struct address address; /* length 0: not heard of yet */
	uint32_t snapshot, moves;
};
struct server {
	struct host host;
	struct haven_socket *socket;
	uint8_t state[STATE_BYTES];
	uint32_t changed[STATE_BYTES]; /* the first snapshot that has it so */
	uint32_t number;	       /* of the next snapshot */
	struct player players[PLAYERS];
	size_t bytes; /* of all snapshots */
};

static void server_move(struct server *server, unsigned player, uint8_t direction)
{
	uint8_t *at = &server->state[SQUARES + player];

	*at = (uint8_t)((*at + steps[direction % 4]) % SQUARES);
	server->state[*at] = (uint8_t)(player + 1);
	server->changed[*at] = server->changed[SQUARES + player] = server->number;
}

static void server_event(struct host *host, struct haven_socket *socket, unsigned events)
{
	struct server *server = host->user;
	struct address from;
	struct input in;

	(void)events;
	while (socket_receive_from(socket, &in, sizeof(in), &from) == sizeof(in)) {
		unsigned number = ntohl(in.player) % PLAYERS;
		struct player *player = &server->players[number];

		player->address = from;
		player->snapshot = ntohl(in.snapshot);
		while (player->moves < ntohl(in.moves) && player->moves < MOVES)
			server_move(server, number, in.move[++player->moves % WINDOW]);
	}
}

static void server_send(struct server *server, const struct player *player)
{
	struct snapshot out = {htonl(server->number), htonl(player->moves)};
	size_t size = offsetof(struct snapshot, changes);

	for (unsigned i = 0, end = 0; i < STATE_BYTES; i++)
		if (server->changed[i] > player->snapshot) {
			out.changes[end++] = (uint8_t)i;
			out.changes[end++] = server->state[i];
			size += 2;
		}
	server->bytes += size;
	socket_send_to(server->socket, &out, size, &player->address);
}

/* --- a client -------------------------------------------------------------------------------- */

struct client {
	struct host host;
	struct haven_socket *socket;
	uint8_t state[STATE_BYTES];
	uint32_t snapshot, moves, done, walked;
	struct input out;
};

static void client_event(struct host *host, struct haven_socket *socket, unsigned events)
{
	struct client *client = host->user;
	struct snapshot in;
	ssize_t size;

	(void)events;
	while ((size = haven_recv(socket, &in, sizeof(in), 0)) > 0) {
		if (ntohl(in.number) <= client->snapshot)
			continue; /* overtaken, or a double */
		client->snapshot = ntohl(in.number);
		client->done = ntohl(in.moves);
		size -= offsetof(struct snapshot, changes);
		for (ssize_t i = 0; i + 1 < size; i += 2)
			client->state[in.changes[i]] = in.changes[i + 1];
	}
}

static void client_send(struct client *client)
{
	struct input *out = &client->out;

	if (client->moves < MOVES && client->moves - client->done < WINDOW) {
		out->move[++client->moves % WINDOW] = random_next(&client->host.random) % 4;
		client->walked += steps[out->move[client->moves % WINDOW]];
	}
	out->snapshot = htonl(client->snapshot);
	out->moves = htonl(client->moves);
	check(haven_send(client->socket, out, sizeof(*out), 0), "haven_send");
}

struct game {
	struct network net;
	struct lan lan;
	struct server server;
	struct client clients[PLAYERS];
};

/* Everybody sends. Returns whether nobody needed to any more. */
static bool tick(struct server *server, struct client *clients)
{
	bool agreed = true;

	for (unsigned i = 0; i < PLAYERS; i++) {
		agreed &= clients[i].done == MOVES && /* and each is where it has walked to */
			  clients[i].walked % SQUARES == server->state[SQUARES + i] &&
			  !memcmp(server->state, clients[i].state, STATE_BYTES);
		client_send(&clients[i]);
		if (server->players[i].address.length)
			server_send(server, &server->players[i]);
	}
	server->number++;
	network_run(server->host.net, 50 * MILLISECOND);
	return agreed;
}

static uint64_t play(struct game *game, uint64_t seed)
{
	struct server *server = &game->server;
	struct haven_fault_counters in, out;

	*game = (struct game){.server.number = 1};
	network_init(&game->net, seed);
	host_init(&server->host, &game->net, "server", server_event, server);
	lan_plug(&game->lan, &server->host, NULL);
	server->socket = host_datagram(&server->host, ":4000");
	for (struct client *c = game->clients; c < game->clients + PLAYERS; c++) {
		host_init(&c->host, &game->net, "client", client_event, c);
		lan_plug(&game->lan, &c->host, BAD_PATH);
		c->socket = host_datagram_to(&c->host, "10.0.0.1:4000");
		c->out.player = htonl((uint32_t)(c - game->clients));
	}
	while (!tick(server, game->clients))
		expect(server->number < 10 * MOVES, "all agree in the end");
	haven_link_fault_counters(game->clients[0].host.link, &in, &out);
	expect(in.lost > 0 && in.duplicated > 0 && in.reordered > 0, "the path is bad");
	host_say(&server->host, "all agree after %u ticks, with %zu bytes a snapshot",
		 server->number, server->bytes / PLAYERS / server->number);
	network_finish(&game->net);
	return game->lan.digest;
}

int main(void)
{
	static struct game game;
	uint64_t first = play(&game, 1); /* a digest of every packet */

	for (unsigned i = 0; i < SQUARES; i++)
		printf("%c%s", ".12345678"[game.server.state[i]], (i + 1) % WIDTH ? "" : "\n");
	expect(play(&game, 1) == first, "the same seed is the same game");
	expect(play(&game, 2) != first, "another one is another");
	return 0;
}
