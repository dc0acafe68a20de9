/*
 * The terminal: see guest_tty.h.
 */
#include "gateway/guest_tty.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <unistd.h>

void hv_tty_open(struct hv_tty *tty)
{
	int fd;

	*tty = (struct hv_tty){.fd = -1, .own_group = getpgrp()};
	/* Works on the controlling terminal only: ENOTTY for any other file. */
	if (tcgetpgrp(STDIN_FILENO) >= 0) {
		tty->fd = fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3);
		tty->separate = true;
		return;
	}
	fd = open("/dev/tty", O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	tty->separate = fd < 0;
	if (fd >= 0)
		close(fd);
}

void hv_tty_close(struct hv_tty *tty)
{
	if (tty->fd >= 0)
		close(tty->fd);
	tty->fd = -1;
}

bool hv_tty_is_ours(const struct hv_tty *tty)
{
	return tty->fd >= 0 && tcgetpgrp(tty->fd) == tty->own_group;
}

bool hv_tty_is_commands(const struct hv_tty *tty)
{
	return tty->fd >= 0 && tty->command_group > 0 &&
	       tcgetpgrp(tty->fd) == tty->command_group;
}

void hv_tty_set_foreground(int fd, pid_t group)
{
	sigset_t ttou, old;

	/* A background process that does this is stopped by SIGTTOU, unless it blocks it. */
	sigemptyset(&ttou);
	sigaddset(&ttou, SIGTTOU);
	sigprocmask(SIG_BLOCK, &ttou, &old);
	tcsetpgrp(fd, group);
	sigprocmask(SIG_SETMASK, &old, NULL);
}

bool hv_tty_hung_up(const struct hv_tty *tty)
{
	struct pollfd poll_fd = {.fd = tty->fd};

	return tty->fd >= 0 && poll(&poll_fd, 1, 0) > 0 && (poll_fd.revents & POLLHUP);
}

void hv_tty_give(const struct hv_tty *tty)
{
	if (tty->separate && tty->command_group > 0 && hv_tty_is_ours(tty))
		hv_tty_set_foreground(tty->fd, tty->command_group);
}

void hv_tty_take_back(const struct hv_tty *tty)
{
	pid_t foreground = tty->fd >= 0 ? tcgetpgrp(tty->fd) : -1;

	if (foreground <= 0 || foreground == tty->own_group)
		return;
	/* A group that is gone was one of the guest's, as the job of a shell in it. */
	if (foreground == tty->command_group || (kill(-foreground, 0) < 0 && errno == ESRCH))
		hv_tty_set_foreground(tty->fd, tty->own_group);
}

bool hv_tty_stop(const struct hv_tty *tty, int signal_number)
{
	struct sigaction act = {.sa_handler = SIG_DFL}, old_act;
	sigset_t stop, old, pending;

	hv_tty_take_back(tty);
	/* By SIGSTOP haven would stop even where nobody can continue it. */
	if (signal_number == SIGSTOP)
		signal_number = SIGTSTP;
	sigaction(signal_number, &act, &old_act);
	sigemptyset(&stop);
	sigaddset(&stop, signal_number);
	sigprocmask(SIG_UNBLOCK, &stop, &old);
	kill(0, signal_number); /* haven is stopped in here */
	sigprocmask(SIG_SETMASK, &old, NULL);
	sigaction(signal_number, &old_act, NULL);
	sigpending(&pending);
	return sigismember(&pending, SIGCONT) == 1;
}
