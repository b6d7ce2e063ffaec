/*
 * The purger: sees to it that nothing is kept. Due purges (deadline passed, cancelled, or ocr could
 * not confirm) end their job if it is unfinished, delete the object, say so; objects without a job
 * are deleted after 10 minutes. A thread of its own with one Postgres connection (role
 * esteira_frame_intake); any number of intakes may run one, leases keep them apart.
 */
#ifndef ESTEIRA_INTAKE_JOB_PURGE_H
#define ESTEIRA_INTAKE_JOB_PURGE_H

#include "base/err.h"

struct intake;
struct purge;

/* Checks the bucket (versioning and object lock are refused: ERR_FATAL unsafe-store), installs its
 * lifecycle where the server can, starts the thread. Loop thread. */
struct err purge_open(struct intake *intake, struct purge **ret_purge) ERR_MUST_USE;

/* Due purges are looked at now. Any thread. */
void purge_wake(struct purge *purge);

/* Ends the thread; a round under way finishes. The loop must still run for its S3 calls. */
void purge_close(struct purge *purge);

#endif
