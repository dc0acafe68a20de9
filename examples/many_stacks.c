/*
 * 256 stacks in one process, on one network: each is a cell of Conway's Game of Life, with an address, ports,
 * a neighbour table and timers of its own. A cell knows nothing but itself; it tells its eight neighbours by
 * datagram whether it lives, and when it has heard from all of them it goes on to the next generation.
 *
 * There is no global state: the same world is then run twice at once, one turn of this, one turn of that, and
 * all three send the same packets in the same order, byte for byte.
 *
 *	cc many_stacks.c shared/{lan,sockets,network}.c $(pkg-config --cflags --libs libhaven)
 */
#include <stdio.h>
#include <time.h>

#include "shared/lan.h"

enum {
	SIDE = 16, /* of the world, which goes round in both directions */
	CELLS = SIDE * SIDE,
	NEIGHBOURS = 8,
	GENERATIONS = 64, /* then a glider is back where it began */
};

struct news {
	uint8_t generation, alive;
};

struct cell {
	struct host host;
	struct haven_socket *socket;
	struct address neighbours[NEIGHBOURS];
	unsigned generation;
	bool alive[GENERATIONS + 1];
	/* Of this generation and the next, by its last bit: no neighbour can be further. */
	unsigned heard[2], alive_around[2];
};

struct world {
	struct network net;
	struct lan lan;
	struct cell cells[CELLS];
};

static unsigned cell_at(unsigned x, unsigned y)
{
	return (y + SIDE) % SIDE * SIDE + (x + SIDE) % SIDE;
}

/* The n-th of the eight around a cell. */
static unsigned neighbour_of(unsigned cell, unsigned n)
{
	unsigned around = n < 4 ? n : n + 1; /* of the nine; the fifth is the cell itself */

	return cell_at(cell % SIDE + around % 3 - 1, cell / SIDE + around / 3 - 1);
}

static bool lives_on(bool alive, unsigned alive_around)
{
	return alive_around == 3 || (alive && alive_around == 2);
}

/* --- a cell ---------------------------------------------------------------------------------- */

static void cell_tell(struct cell *cell)
{
	struct news news = {(uint8_t)cell->generation, cell->alive[cell->generation]};

	for (unsigned n = 0; n < NEIGHBOURS; n++)
		socket_send_to(cell->socket, &news, sizeof(news), &cell->neighbours[n]);
}

static void cell_event(struct host *host, struct haven_socket *socket, unsigned events)
{
	struct cell *cell = host->user;
	struct news news;

	(void)events;
	while (haven_recv(socket, &news, sizeof(news), 0) == sizeof(news)) {
		unsigned now = cell->generation % 2;

		cell->heard[news.generation % 2]++;
		cell->alive_around[news.generation % 2] += news.alive;
		if (cell->heard[now] < NEIGHBOURS || cell->generation == GENERATIONS)
			continue;
		cell->alive[cell->generation + 1] =
			lives_on(cell->alive[cell->generation], cell->alive_around[now]);
		cell->heard[now] = cell->alive_around[now] = 0;
		cell->generation++;
		cell_tell(cell);
	}
}

/* --- a world --------------------------------------------------------------------------------- */

static void world_init(struct world *world, uint64_t seed)
{
	static const unsigned glider[][2] = {{2, 1}, {3, 2}, {1, 3}, {2, 3}, {3, 3}};

	network_init(&world->net, seed);
	for (unsigned i = 0; i < CELLS; i++) {
		struct cell *cell = &world->cells[i];

		host_init(&cell->host, &world->net, "cell", cell_event, cell);
		lan_plug(&world->lan, &cell->host, NULL);
		/* All have the same port: there are as many port tables as stacks. */
		cell->socket = host_datagram(&cell->host, ":7000");
		for (unsigned n = 0; n < NEIGHBOURS; n++) {
			unsigned nth = neighbour_of(i, n) + 1; /* as lan_plug() counts */
			char text[ADDRESS_TEXT];

			snprintf(text, sizeof(text), "10.0.%u.%u:7000", nth / 256, nth % 256);
			cell->neighbours[n] = address_of(text);
		}
	}
	for (unsigned i = 0; i < 5; i++)
		world->cells[cell_at(glider[i][0], glider[i][1])].alive[0] = true;
	for (unsigned i = 0; i < CELLS; i++) {
		cell_tell(&world->cells[i]);
		network_step(&world->net); /* or there is more ARP than queues hold */
	}
}

/* One turn of each cell. False: all have come to the last generation. */
static bool world_turn(struct world *world)
{
	for (unsigned i = 0; i < CELLS; i++)
		if (world->cells[i].generation < GENERATIONS) {
			expect(network_step(&world->net), "the world goes on");
			return true;
		}
	return false;
}

/* Each generation is what the rules make of the one before, and the glider has gone once around. */
static void world_check(const struct world *world)
{
	for (unsigned i = 0; i < GENERATIONS * CELLS; i++) {
		unsigned at = i % CELLS, generation = i / CELLS, around = 0;
		const bool *alive = &world->cells[at].alive[generation];

		for (unsigned n = 0; n < NEIGHBOURS; n++)
			around += world->cells[neighbour_of(at, n)].alive[generation];
		expect(alive[1] == lives_on(alive[0], around), "the cells keep the rules");
		expect(generation || alive[0] == alive[GENERATIONS], "the glider is back");
	}
}

/* The first generation, one on its way, and the last, side by side. */
static void world_print(const struct world *world)
{
	for (unsigned i = 0; i < 3 * CELLS; i++) {
		unsigned x = i % SIDE, board = i / SIDE % 3, y = i / SIDE / 3;
		const struct cell *cell = &world->cells[cell_at(x, y)];

		printf("%s%c", x ? "" : "  ", cell->alive[board * GENERATIONS / 2] ? '#' : '.');
		if (x == SIDE - 1 && board == 2)
			putchar('\n');
	}
}

static unsigned world_memory(const struct world *world)
{
	struct haven_stats stats;
	uint64_t bytes = 0;

	for (unsigned i = 0; i < CELLS; i++) {
		haven_stack_stats(world->cells[i].host.stack, &stats);
		bytes += stats.memory_bytes;
	}
	return (unsigned)(bytes / CELLS);
}

int main(void)
{
	static struct world world[3]; /* the first runs alone, the others side by side */
	clock_t start;

	for (unsigned i = 0; i < 3; i++)
		world_init(&world[i], 1);
	printf("%d stacks, %u bytes each; ", CELLS, world_memory(&world[0]));
	start = clock();
	while (world_turn(&world[0]))
		;
	printf("%u bytes after %u frames in %.2f s\n", world_memory(&world[0]),
	       (unsigned)world[0].lan.frames, (double)(clock() - start) / CLOCKS_PER_SEC);
	world_print(&world[0]);
	world_check(&world[0]);
	while (world_turn(&world[1]) && world_turn(&world[2]))
		;
	for (unsigned i = 0; i < 3; i++) {
		expect(world[i].lan.digest == world[0].lan.digest,
		       "equal worlds send the same");
		network_finish(&world[i].net);
	}
	printf("two more such worlds, turn by turn side by side, sent the same, byte for byte\n");
	return 0;
}
