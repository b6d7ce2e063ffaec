#include "frame/schedule_fair.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"

enum {
	QUANTUM_US = 2000,
	DEBT_MAX_US = 10000000, /* every quantum of it is one step in schedule_fair_pick */
	COST_FIRST_US = 1000,	/* before anything was measured */
	COST_WEIGHT = 8,
};

void schedule_fair_init(struct fair *fair)
{
	ring_init(&fair->active[TURN_FRESH]);
	ring_init(&fair->active[TURN_REST]);
}

void schedule_fair_init_source(struct source *source)
{
	ring_init(&source->mix[TURN_FRESH]);
	ring_init(&source->mix[TURN_REST]);
	ring_init(&source->shares);
	ring_init(&source->overflowing);
	source->cost_us = COST_FIRST_US;
}

/* --- flows and shares --- */

static struct flow **bucket_of(struct fair *fair, struct str key)
{
	return &fair->buckets[schedule_lane_hash(key) % FLOW_BUCKETS];
}

static struct flow *flow_of(struct fair *fair, struct str key)
{
	struct flow **bucket = bucket_of(fair, key);

	for (struct flow *flow = *bucket; flow != NULL; flow = flow->next_in_bucket)
		if (str_eq((struct str){ flow->key, flow->key_len }, key))
			return flow;
	struct flow *flow = calloc(1, sizeof *flow + key.len);
	if (flow == NULL)
		abort(); /* a record that is neither kept nor refused would be lost */
	if (key.len > 0)
		memcpy(flow->key, key.ptr, key.len);
	flow->key_len = key.len;
	flow->credit_us = QUANTUM_US;
	ring_init(&flow->ring);
	ring_init(&flow->ready);
	flow->next_in_bucket = *bucket;
	*bucket = flow;
	fair->flows++;
	return flow;
}

static struct share *make_share(struct flow *flow, struct source *source)
{
	struct share *share = calloc(1, sizeof *share);

	if (share == NULL)
		abort();
	share->flow = flow;
	share->source = source;
	share->cost_us = source->cost_us;
	ring_init(&share->in_source);
	ring_init(&share->in_flow);
	for (int kind = 0; kind < SHARE_KINDS; kind++)
		ring_init(&share->ready[kind]);
	ring_add(&source->shares, &share->of_source);
	return share;
}

/* Records come in runs of one source: the one found is put first. */
static struct share *share_of(struct flow *flow, struct source *source)
{
	struct share **at = &flow->shares;

	while (*at != NULL && (*at)->source != source)
		at = &(*at)->next;
	struct share *share = *at;
	if (share == NULL)
		share = make_share(flow, source);
	else
		*at = share->next;
	share->next = flow->shares;
	flow->shares = share;
	return share;
}

void schedule_fair_join(struct fair *fair, struct record *record)
{
	struct share *share =
		share_of(flow_of(fair, record->key), schedule_fair_source(record->partition));

	share->count++;
	share->bytes += record->link.bytes;
	record->link.share = share;
}

static void free_flow(struct fair *fair, struct flow *flow)
{
	struct flow **at = bucket_of(fair, (struct str){ flow->key, flow->key_len });

	while (*at != flow)
		at = &(*at)->next_in_bucket;
	*at = flow->next_in_bucket;
	fair->flows--;
	free(flow);
}

void schedule_fair_part(struct fair *fair, const struct record *record)
{
	struct share *share = record->link.share, **at = &share->flow->shares;

	share->bytes -= record->link.bytes;
	if (--share->count > 0)
		return;
	while (*at != share)
		at = &(*at)->next;
	*at = share->next;
	ring_remove(&share->of_source);
	if (share->source->overflow == share) {
		share->source->overflow = NULL;
		ring_remove(&share->source->overflowing);
	}
	if (share->flow->shares == NULL)
		free_flow(fair, share->flow);
	free(share);
}

/* --- what is ready --- */

bool schedule_fair_together(const struct record *record, const struct source *source)
{
	return record->partition == &source->partition && record->route != NULL &&
	       record->route->kind == ROUTE_TXN;
}

struct lane *schedule_fair_first(const struct share *share, enum share_kind kind)
{
	const struct ring *list = &share->ready[kind];

	return ring_is_alone(list) ? NULL : (struct lane *)list->next;
}

static void add_in_turn(const struct flow *flow, struct ring *lists, struct ring *node)
{
	if (ring_is_alone(node))
		ring_add(&lists[flow->credit_us > 0 ? TURN_FRESH : TURN_REST], node);
}

void schedule_fair_queue(struct fair *fair, struct lane *lane)
{
	struct share *share = lane->first->link.share;
	struct flow *flow = share->flow;
	bool together = schedule_fair_together(lane->first, share->source);

	lane->share = share;
	lane->turn = fair->turns++;
	ring_add(&share->ready[together ? SHARE_TOGETHER : SHARE_ALONE], &lane->ring);
	if (together && ring_is_alone(&share->in_source)) {
		add_in_turn(flow, share->source->mix, &share->in_source);
		share->source->mix_count++;
	}
	if (ring_is_alone(&share->in_flow))
		ring_add(&flow->ready, &share->in_flow);
	add_in_turn(flow, fair->active, &flow->ring);
}

void schedule_fair_unqueue(struct lane *lane)
{
	ring_remove(&lane->ring);
	schedule_fair_settle(lane->share);
}

void schedule_fair_settle(struct share *share)
{
	bool mixes = !ring_is_alone(&share->ready[SHARE_TOGETHER]);

	if (!mixes && !ring_is_alone(&share->in_source)) {
		ring_remove(&share->in_source);
		share->source->mix_count--;
	}
	if (!mixes && ring_is_alone(&share->ready[SHARE_ALONE]))
		ring_remove(&share->in_flow);
	if (ring_is_alone(&share->flow->ready))
		ring_remove(&share->flow->ring);
}

static struct share *share_at(struct ring *in_flow)
{
	return (struct share *)(void *)((char *)in_flow - offsetof(struct share, in_flow));
}

static enum share_kind oldest_kind(const struct share *share)
{
	const struct lane *together = schedule_fair_first(share, SHARE_TOGETHER);
	const struct lane *alone = schedule_fair_first(share, SHARE_ALONE);

	if (together == NULL || alone == NULL)
		return together == NULL ? SHARE_ALONE : SHARE_TOGETHER;
	return alone->turn < together->turn ? SHARE_ALONE : SHARE_TOGETHER;
}

bool schedule_fair_is_idle(const struct fair *fair)
{
	return ring_is_alone(&fair->active[TURN_FRESH]) && ring_is_alone(&fair->active[TURN_REST]);
}

static struct flow *first_flow(const struct fair *fair)
{
	const struct ring *fresh = &fair->active[TURN_FRESH];

	return (struct flow *)(ring_is_alone(fresh) ? fair->active[TURN_REST].next : fresh->next);
}

/* Ends: every step gives a quantum to somebody who owes at most DEBT_MAX_US; in the long run as
 * many steps as time was used up. */
struct share *schedule_fair_pick(struct fair *fair, enum share_kind *ret_kind)
{
	struct flow *flow;

	if (schedule_fair_is_idle(fair))
		return NULL;
	while ((flow = first_flow(fair))->credit_us <= 0) {
		flow->credit_us += QUANTUM_US;
		ring_remove(&flow->ring);
		ring_add(&fair->active[TURN_REST], &flow->ring);
	}
	/* fresh for one turn, then whoever comes is before it */
	ring_remove(&flow->ring);
	ring_add_first(&fair->active[TURN_REST], &flow->ring);
	struct share *share = share_at(flow->ready.next);
	ring_remove(&share->in_flow);
	ring_add(&flow->ready, &share->in_flow);
	*ret_kind = oldest_kind(share);
	return share;
}

/* --- costs --- */

static void charge(struct flow *flow, int64_t cost_us)
{
	flow->credit_us -= cost_us;
	if (flow->credit_us < -DEBT_MAX_US)
		flow->credit_us = -DEBT_MAX_US;
	else if (flow->credit_us > QUANTUM_US)
		flow->credit_us = QUANTUM_US;
}

void schedule_fair_charge(struct record *record, struct batch *batch, int64_t expected_us)
{
	record->link.batch = batch;
	record->link.charged_us = expected_us;
	batch->left++;
	charge(record->link.share->flow, record->link.charged_us);
}

/* What passes between two ends is the cost of all that have not ended: right for a batch that
 * commits as one, and in sum for one that runs apart. */
static int64_t cost_of(const struct record *record)
{
	struct batch *batch = record->link.batch;
	int64_t now_us = clock_mono_us();

	batch->shared_us += (now_us - batch->from_us) / (int64_t)batch->left;
	batch->from_us = now_us;
	int64_t cost_us = record->cost_us > 0 ? record->cost_us : batch->shared_us;
	if (--batch->left == 0)
		free(batch);
	return cost_us;
}

static void learn_cost(int64_t *average_us, int64_t cost_us)
{
	*average_us += (cost_us - *average_us) / COST_WEIGHT;
	if (*average_us < 1)
		*average_us = 1;
}

void schedule_fair_pay(struct record *record, bool learn)
{
	struct share *share = record->link.share;
	int64_t cost_us = cost_of(record);

	record->link.batch = NULL;
	record->cost_us = 0;
	charge(share->flow, cost_us - record->link.charged_us);
	if (!learn)
		return;
	learn_cost(&share->cost_us, cost_us);
	learn_cost(&share->source->cost_us, cost_us);
	share->source->measured++;
}

/* --- looking --- */

static int64_t older(int64_t since_ms, const struct lane *lane)
{
	return lane != NULL && (since_ms == 0 || lane->due_ms < since_ms) ? lane->due_ms : since_ms;
}

static int64_t oldest_of(const struct flow *flow, int64_t since_ms)
{
	for (struct ring *at = flow->ready.next; at != &flow->ready; at = at->next) {
		const struct share *share = share_at(at);
		since_ms = older(since_ms, schedule_fair_first(share, SHARE_TOGETHER));
		since_ms = older(since_ms, schedule_fair_first(share, SHARE_ALONE));
	}
	return since_ms;
}

int64_t schedule_fair_oldest_ms(const struct fair *fair)
{
	int64_t since_ms = 0;

	for (enum turn turn = 0; turn < TURNS; turn++) {
		const struct ring *list = &fair->active[turn];
		for (struct ring *at = list->next; at != list; at = at->next)
			since_ms = oldest_of((struct flow *)at, since_ms);
	}
	return since_ms;
}
