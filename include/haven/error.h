/*
 * Errors of libhaven, and the export mark of its functions.
 *
 * Functions that can fail return 0 (or a count) on success and a negative errno on failure,
 * with the meaning that POSIX gives that errno for the call of the same name. There is no
 * other error channel: no global variable, no callback.
 */
#ifndef HAVEN_ERROR_H
#define HAVEN_ERROR_H

#include <errno.h>

#if defined(__GNUC__)
#define HAVEN_API __attribute__((visibility("default")))
#else
#define HAVEN_API
#endif

/*
 * Every errno that a function of libhaven returns, with the text that haven_strerror() gives.
 * ENOTSUP is EOPNOTSUPP here: Linux has one number for both. X(errno name, text)
 */
#define HAVEN_ERROR_MAP(X)                                                              \
	X(EACCES, "this port is privileged in this stack")                              \
	X(EADDRINUSE, "address and port are already in use")                            \
	X(EADDRNOTAVAIL, "no such local address, or every port of the range is in use") \
	X(EAFNOSUPPORT, "address family is not supported")                              \
	X(EAGAIN, "would block; wait for readiness")                                    \
	X(EALREADY, "a connection attempt is already under way")                        \
	X(EBADMSG, "TLS has failed; haven_tls_error() says how")                        \
	X(ECONNABORTED, "connection was aborted")                                       \
	X(ECONNREFUSED, "connection refused")                                           \
	X(ECONNRESET, "connection was reset by the peer")                               \
	X(EDESTADDRREQ, "no destination address given")                                 \
	X(EHOSTUNREACH, "no route to the host")                                         \
	X(EINPROGRESS, "connection attempt is under way")                               \
	X(EINVAL, "invalid argument or state")                                          \
	X(EISCONN, "socket is already connected")                                       \
	X(EMFILE, "this stack's limit of sockets is reached")                           \
	X(EMSGSIZE, "datagram is too large")                                            \
	X(ENETDOWN, "link is down")                                                     \
	X(ENETUNREACH, "no route to the network")                                       \
	X(ENOBUFS, "a table or buffer of this stack is full")                           \
	X(ENOENT, "no such entry")                                                      \
	X(ENOMEM, "out of memory")                                                      \
	X(ENOPROTOOPT, "no such socket option at this level")                           \
	X(ENOSPC, "no space is left in the table")                                      \
	X(ENOTCONN, "socket is not connected")                                          \
	X(EOPNOTSUPP, "operation is not supported on this kind of socket")              \
	X(ENOTUNIQ, "this name has several ports")                                      \
	X(EPERM, "not permitted, or refused by a filter")                               \
	X(EPIPE, "this direction of the connection was shut down")                      \
	X(EPROTO, "the peer's host does not know this protocol")                        \
	X(EPROTONOSUPPORT, "protocol is not supported")                                 \
	X(EPROTOTYPE, "wrong protocol for this kind of socket")                         \
	X(ERANGE, "port out of range")                                                  \
	X(ETIMEDOUT, "connection timed out")

/*
 * Text for an error that a function of libhaven returned.
 * error: negative (or positive) errno. Returns a static English string without a final dot,
 * never NULL; an errno that is not in HAVEN_ERROR_MAP gives "unknown error".
 */
HAVEN_API const char *haven_strerror(int error);

/* Symbolic name of an error ("ECONNREFUSED"), or NULL when it is not in HAVEN_ERROR_MAP. */
HAVEN_API const char *haven_errname(int error);

#endif
