/*
 * The terminal: who is in its foreground, and what a stop of the command does to haven.
 *
 * haven behaves towards the command as a shell does towards a job, and towards its own shell as
 * a job does:
 *
 *	standard input is the terminal	the command has a process group of its own; it gets the
 *					foreground if haven has it, and haven takes it back when
 *					the command stops or ends. When ^Z stops the command, haven
 *					stops its own group by the same signal; when its shell
 *					continues it (fg, bg), it continues the command.
 *	there is a terminal, but	the command shares haven's process group, as a part of a
 *	standard input is not it	pipeline would: ^C and ^Z reach both at once.
 *	there is no terminal		the command has a process group of its own.
 */
#ifndef HV_GATEWAY_GUEST_TTY_H
#define HV_GATEWAY_GUEST_TTY_H

#include <stdbool.h>
#include <sys/types.h>

struct hv_tty {
	int fd;		     /* the controlling terminal when standard input is it; or -1 */
	bool separate;	     /* the command has a process group of its own */
	pid_t own_group;     /* haven's */
	pid_t command_group; /* 0: not known yet */
};

void hv_tty_open(struct hv_tty *tty);
void hv_tty_close(struct hv_tty *tty);

/* Whether haven's own process group is in the foreground. */
bool hv_tty_is_ours(const struct hv_tty *tty);

/* Whether the command's process group is in the foreground. */
bool hv_tty_is_commands(const struct hv_tty *tty);

/* Puts the command's process group into the foreground, when it has one and haven's was there. */
void hv_tty_give(const struct hv_tty *tty);

/* Puts haven's back, unless by now somebody else has the foreground. */
void hv_tty_take_back(const struct hv_tty *tty);

/*
 * Takes the foreground back and stops haven's own process group by `signal_number` (one of the stop
 * signals); SIGCONT must be blocked. Returns true after haven was stopped and continued, false when
 * nobody is there who could continue it (an orphaned process group), so that it went on at once.
 */
bool hv_tty_stop(const struct hv_tty *tty, int signal_number);

/* Whether the terminal was closed. */
bool hv_tty_hung_up(const struct hv_tty *tty);

/* Puts `group` into the foreground of `fd` without being stopped for it. */
void hv_tty_set_foreground(int fd, pid_t group);

#endif
