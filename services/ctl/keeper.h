/*
 * The master key as a command has it: frame/master with, for a key service, a loop of its own on a
 * thread of its own, because a command runs in a straight line. Main thread.
 */
#ifndef ESTEIRA_CTL_KEEPER_H
#define ESTEIRA_CTL_KEEPER_H

#include "base/err.h"
#include "frame/master.h"

struct keeper;

/* Failures: master_open; of a key service also master_check. Texts of conf are borrowed. */
struct err keeper_open(const struct master_conf *conf, struct keeper **ret_keeper) ERR_MUST_USE;

/* Wipes; usable with SCOPED. A pointer to NULL is fine. */
void keeper_drop(struct keeper **keeper);

struct master *keeper_master(const struct keeper *keeper);

#endif
