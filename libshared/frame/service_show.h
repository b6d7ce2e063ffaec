/* What a service's program says instead of running: for frame/service.c alone. */
#ifndef ESTEIRA_FRAME_SERVICE_SHOW_H
#define ESTEIRA_FRAME_SERVICE_SHOW_H

struct service;

/* --help, --version, --markdown, --check-config [--json]; anything else prints the usage. The exit
 * code. */
int service_show(const struct service *service, int argc, char **argv);

#endif
