/*
 * The live screen of --watch: the terminal's alternate screen, drawn anew each second in one write.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <termios.h>
#include <unistd.h>

#include "cli/show.h"

#define PERIOD_MS 1000

/* ECMA-48, and xterm's private modes: alternate screen, cursor. */
#define ENTER	   "\033[?1049h\033[?25l"
#define LEAVE	   "\033[?25h\033[?1049l"
#define HOME	   "\033[H"
#define CLEAR_LINE "\033[K"
#define CLEAR_REST "\033[J"

static void write_all(const char *text, size_t size)
{
	while (size > 0) {
		ssize_t done = write(STDOUT_FILENO, text, size);

		if (done < 0 && errno == EINTR)
			continue;
		if (done <= 0)
			return;
		text += done;
		size -= (size_t)done;
	}
}

/* Each line is cleared behind its end, not the screen before: so nothing flickers. */
static void put_screen(const char *text, size_t size)
{
	char *screen = NULL;
	size_t screen_size = 0;
	FILE *out = open_memstream(&screen, &screen_size);

	if (!out)
		return;
	fputs(HOME, out);
	for (size_t i = 0; i < size; i++) {
		if (text[i] == '\n' && i + 1 == size)
			break; /* it would scroll a full screen */
		fputs(text[i] == '\n' ? CLEAR_LINE "\r\n" : "", out);
		if (text[i] != '\n')
			fputc(text[i], out);
	}
	fputs(CLEAR_LINE CLEAR_REST, out);
	if (fclose(out) == 0)
		write_all(screen, screen_size);
	free(screen);
}

static bool draw_once(bool (*draw)(void *user, const struct hv_screen *screen, FILE *out),
		      void *user)
{
	struct hv_screen screen = {.width = 80, .height = 24};
	const char *no_colour = getenv("NO_COLOR");
	struct winsize window;
	char *text = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);
	bool good;

	if (!out)
		return false;
	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &window) == 0 && window.ws_col > 0 &&
	    window.ws_row > 0) {
		screen.width = window.ws_col;
		screen.height = window.ws_row;
	}
	screen.colour = !no_colour || !*no_colour;
	good = draw(user, &screen, out);
	if (fclose(out) != 0)
		good = false;
	if (good)
		put_screen(text, size);
	free(text);
	return good;
}

/* Waits until it is time to draw. Returns false when it is to end. */
static bool wait_for_keys(int signals)
{
	struct pollfd files[2] = {{.fd = STDIN_FILENO, .events = POLLIN},
				  {.fd = signals, .events = POLLIN}};
	struct signalfd_siginfo info;
	char key;

	if (poll(files, 2, PERIOD_MS) <= 0)
		return true;
	if (files[1].revents) /* a new size is drawn at once */
		return read(signals, &info, sizeof(info)) == sizeof(info) &&
		       info.ssi_signo == SIGWINCH;
	if (read(STDIN_FILENO, &key, 1) != 1)
		return false;
	return key != 'q' && key != 'Q' && key != 3 /* ^C, where it is no signal */;
}

static int take_signals(sigset_t *before)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGHUP);
	sigaddset(&set, SIGWINCH);
	sigprocmask(SIG_BLOCK, &set, before);
	return signalfd(-1, &set, SFD_CLOEXEC);
}

int hv_watch(bool (*draw)(void *user, const struct hv_screen *screen, FILE *out), void *user)
{
	struct termios before, raw;
	sigset_t mask;
	bool good = true;
	int signals;

	if (!isatty(STDOUT_FILENO) || tcgetattr(STDIN_FILENO, &before) < 0)
		return -ENOTTY;
	signals = take_signals(&mask);
	raw = before;
	raw.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
	tcsetattr(STDIN_FILENO, TCSADRAIN, &raw);
	write_all(ENTER, strlen(ENTER));
	do {
		good = draw_once(draw, user);
	} while (good && wait_for_keys(signals));
	write_all(LEAVE, strlen(LEAVE));
	tcsetattr(STDIN_FILENO, TCSADRAIN, &before);
	sigprocmask(SIG_SETMASK, &mask, NULL);
	if (signals >= 0)
		close(signals);
	return good ? 0 : 1;
}
