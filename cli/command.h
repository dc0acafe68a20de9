/*
 * The sub-commands. Each returns what haven exits with, and has said on standard error why when that is
 * HV_EXIT_FAILED.
 */
#ifndef HV_CLI_COMMAND_H
#define HV_CLI_COMMAND_H

/* argv[0] is the sub-command's name. */
int hv_command_run(int argc, char **argv);
int hv_command_attach(int argc, char **argv);
int hv_command_ls(int argc, char **argv);
int hv_command_ports(int argc, char **argv);
int hv_command_flows(int argc, char **argv);
int hv_command_why(int argc, char **argv);
int hv_command_publish(int argc, char **argv);
int hv_command_unpublish(int argc, char **argv);
int hv_command_policy(int argc, char **argv);
int hv_command_allow(int argc, char **argv);
int hv_command_deny(int argc, char **argv);
int hv_command_refused(int argc, char **argv);
int hv_command_service(int argc, char **argv);
int hv_command_ca(int argc, char **argv);
int hv_command_connect(int argc, char **argv);
int hv_command_listen(int argc, char **argv);

#endif
