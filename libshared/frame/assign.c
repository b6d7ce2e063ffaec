#include "frame/assign.h"

#include <stdio.h>

bool assign_is_ours(struct str metadata)
{
	struct str prefix = STR("esteira/"), rest;

	if (!str_starts(metadata, prefix))
		return false;
	metadata.ptr += prefix.len;
	metadata.len -= prefix.len;
	uint64_t version;
	struct str digits = str_cut(metadata, ';', &rest);
	return digits.len < metadata.len && str_to_u64(digits, &version);
}

static struct assign_decision decided(enum assign_case what, int64_t start)
{
	return (struct assign_decision){ what, start };
}

struct assign_decision assign_decide(const struct assign_input *input)
{
	if (input->has_progress && !str_eq(input->cluster, input->row_cluster))
		return decided(ASSIGN_NEW_CLUSTER, ASSIGN_EARLIEST);
	if (!input->has_commit && !input->has_progress)
		return decided(ASSIGN_FRESH, ASSIGN_EARLIEST);
	if (!input->has_commit)
		return decided(ASSIGN_EXPIRED, input->progress);
	if (assign_is_ours(input->metadata)) {
		if (input->has_progress && input->commit > input->progress)
			return decided(ASSIGN_LOST_ROWS, input->progress);
		return decided(ASSIGN_RESUME, input->commit);
	}
	if (!input->has_progress || input->commit == input->progress)
		return decided(ASSIGN_SAME, input->commit);
	return decided(
		input->commit < input->progress ? ASSIGN_REWIND : ASSIGN_SKIP, input->commit);
}

#ifndef ASSIGN_VERSION
#define ASSIGN_VERSION "1" /* whoever reads it takes any */
#endif

void assign_metadata(const char *cluster, int64_t epoch, char *ret_text, size_t max)
{
	snprintf(ret_text, max, "esteira/" ASSIGN_VERSION ";%s;e=%lld", cluster, (long long)epoch);
}

const char *assign_case_name(enum assign_case what)
{
	static const char *const names[] = { "fresh", "resume", "lost-rows", "expired", "rewind",
		"skip", "same", "new-cluster" };

	return names[what];
}
