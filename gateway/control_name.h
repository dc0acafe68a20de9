/*
 * Names of networks, and the addresses of their control sockets. Used by the gateway, which
 * listens, and by the commands that look for it.
 */
#ifndef HV_GATEWAY_CONTROL_NAME_H
#define HV_GATEWAY_CONTROL_NAME_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <sys/un.h>

/* The longest name, with its final 0. */
#define HV_CONTROL_NAME_SIZE 49

/* Letters, digits, '.', '_' and '-', the first a letter or digit; at most 48. */
bool hv_control_name_valid(const char *name);

/* "nginx-1234": from a command (or path) and a process id; always valid. */
void hv_control_name_make(const char *command, pid_t pid, char name[HV_CONTROL_NAME_SIZE]);

/* The abstract address of a user's network; returns its size. */
socklen_t hv_control_address(uid_t uid, const char *name, struct sockaddr_un *address);

/*
 * A line of /proc/net/unix: whether it is a control socket that listens; whose, and its name. A name that is
 * not valid is none.
 */
bool hv_control_name_parse(const char *line, uid_t *uid, char name[HV_CONTROL_NAME_SIZE]);

#endif
