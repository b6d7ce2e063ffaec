/*
 * Carries out what frame/verdict decides about records that were not handled. Each function returns
 * whether the record's lane may go on: false when the record is back at its head.
 */
#ifndef ESTEIRA_FRAME_FAILURE_H
#define ESTEIRA_FRAME_FAILURE_H

#include "frame/verdict.h"
#include "frame/worker.h"

/* A step or a transaction failed with e. */
bool failure_judge(struct worker *worker, struct task *task, struct err e);

/* Back to the head of its lane. */
bool failure_later(struct worker *worker, struct task *task, int64_t delay_ms);

/* The brake of its route and tenant is on for wait_ms: parks it. why: kind ERR_OK when it was not
 * even tried. */
bool failure_brake(struct worker *worker, struct task *task, int64_t wait_ms, struct err why);

/* Its tenant is not in use (frame/halt): a suspended one's record is parked until his activation,
 * an erased one's is dropped, whatever was to become of it. False: he is in use; else
 * *ret_lane_goes_on as above. The record's event has been read. */
bool failure_halt(struct worker *worker, struct task *task, bool *ret_lane_goes_on);

/* One of our own servers is away: all keep their places. */
void failure_all_wait(struct worker *worker, size_t records, struct err e);

/* A batch of suspects is written down as one. False: not done, one of them was written down before;
 * they have to run alone. */
bool failure_note_all(struct worker *worker, size_t records);

/* A record that may have ended a process: written down, then run; buried as `crash` when it was
 * written down too often. Of those that were written down before only one runs at a time, so that
 * no long work is blamed for what another record did. */
bool failure_run_suspect(struct worker *worker, struct record *record,
	bool (*run)(struct worker *worker, struct record *record));

#endif
