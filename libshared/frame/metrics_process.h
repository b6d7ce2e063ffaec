/*
 * What every process says about itself, under the names that Prometheus client libraries share:
 * process_cpu_seconds_total, process_resident_memory_bytes, process_open_fds,
 * process_start_time_seconds; and esteira_build_info{version,service} 1. Read from /proc at each
 * scrape.
 */
#ifndef ESTEIRA_FRAME_METRICS_PROCESS_H
#define ESTEIRA_FRAME_METRICS_PROCESS_H

#include "frame/metrics.h"

/* Once per registry. The texts are copied. Any thread. */
void metrics_process_register(struct metrics *metrics, const char *version, const char *service);

#endif
