/*
 * Named places where a process can be made to die, as kill -9 would: what is written down before
 * such a place and what after it is what a crash tears apart, and the chaos suite tears at each of
 * them. In a build without ESTEIRA_FAILPOINTS (every release) a place is nothing at all.
 *
 * Names in use: before_pg_commit, after_pg_commit (transact.c); before_kafka_commit
 * (consumer_commit.c); in_revoke (consumer_assign.c); in_replay_open (replay.c), after_replay_open
 * (takeover.c); in_redrive (transact.c); effect_sending (transact_work.c); relay_sent (relay.c);
 * erase_batch (erase.c).
 */
#ifndef ESTEIRA_BASE_FAILPOINT_H
#define ESTEIRA_BASE_FAILPOINT_H

#ifdef ESTEIRA_FAILPOINTS
/* With ESTEIRA_FAILPOINT=name:n in the environment the n-th call (from 1) of this name, on whatever
 * thread, does not return: the process gets SIGKILL. Any thread. */
void failpoint_reach(const char *name);
#else
static inline void failpoint_reach(const char *name)
{
	(void)name;
}
#endif

#endif
