/*
 * Where a partition starts, as a pure function of what Kafka has committed (K), what the progress
 * row says (P) and whose commit it was. The table is research/kafka.md's 4.3 in code; every row has
 * a test.
 */
#ifndef ESTEIRA_FRAME_ASSIGN_H
#define ESTEIRA_FRAME_ASSIGN_H

#include "base/str.h"

enum assign_case {
	ASSIGN_FRESH,	    /* no K, no P: from the earliest */
	ASSIGN_RESUME,	    /* K ours, K <= P: from K, the inbox drops what was seen */
	ASSIGN_LOST_ROWS,   /* K ours, K > P: Postgres lost its tail: from P */
	ASSIGN_EXPIRED,	    /* no K, but P: the group's offsets expired: from P */
	ASSIGN_REWIND,	    /* K not ours, K < P: an operator moved the group back: from K */
	ASSIGN_SKIP,	    /* K not ours, K > P: an operator moved the group forward: from K */
	ASSIGN_SAME,	    /* K not ours, K = P: from K */
	ASSIGN_NEW_CLUSTER, /* P is of another cluster: from the earliest */
};

struct assign_input {
	bool has_commit, has_progress;
	int64_t commit, progress;
	struct str metadata;	/* of the commit */
	struct str cluster;	/* today's */
	struct str row_cluster; /* of the progress row */
};

struct assign_decision {
	enum assign_case what;
	int64_t start; /* ASSIGN_EARLIEST, or an offset */
};

#define ASSIGN_EARLIEST INT64_C(-2)

struct assign_decision assign_decide(const struct assign_input *input);

/* Whether a commit's metadata was written by a program of the suite, of any version:
 * ^esteira/[0-9]+; */
bool assign_is_ours(struct str metadata);

/* "esteira/1;<cluster>;e=<epoch>"; ret_text takes max bytes. */
void assign_metadata(const char *cluster, int64_t epoch, char *ret_text, size_t max);

const char *assign_case_name(enum assign_case what);

#endif
