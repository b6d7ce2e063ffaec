#include "recogniser.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"

#include "answer.h"
#include "child.h"
#include "document_reader.h"
#include "permit.h"
#include "probe.h"

enum { SLOTS_MAX = 64, PIPE_BYTES = 1 << 20 };

/* One page under OCR. */
struct slot {
	const struct recogniser_page *page; /* NULL: free */
	struct decide_try try;
	struct child render;
	struct child recognise;
	struct buf answer;
	struct buf best; /* the answer of the best try so far */
	double best_confidence;
	unsigned turns; /* jail_request.turns */
	int64_t started_ms;
};

struct run {
	const struct recogniser_work *work;
	unsigned slot_count;
	unsigned next; /* page to be begun */
	unsigned busy;
	bool enough;
	enum err_code outcome;
	struct slot *slots;
};

static void add_answer(void *arg, struct str bytes)
{
	struct slot *slot = arg;

	buf_add_str(&slot->answer, bytes);
}

static struct jail_request request_of(const struct document_conf *conf, struct decide_try try)
{
	return (struct jail_request){
		.page_first = 1,
		.page_last = 1,
		.dpi = try.dpi,
		.smooth = try.smooth,
		.search = try.search,
		.turns = JAIL_TURNS_UNKNOWN,
		.pixels_max = conf->pixels_max,
		.cpu_s = conf->cpu_s,
		.memory_bytes = conf->memory_bytes,
	};
}

static struct err start_pair(const struct run *run, struct slot *slot, const int *bitmap)
{
	struct document_reader *reader = run->work->reader;
	struct jail_request request = request_of(&reader->conf, slot->try);
	const struct child_wiring drawn = { run->work->job->pdf_fd, bitmap[1], 0, NULL, NULL };
	const struct child_wiring read = { bitmap[0], -1,
		reader->conf.text_bytes + sizeof(struct jail_answer), add_answer, slot };

	request.page_first = request.page_last = slot->page->number;
	request.turns = slot->turns;
	request.task = JAIL_RENDER;
	TRY(child_start(&reader->jailer, &request, &drawn, &slot->render));
	request.task = JAIL_RECOGNISE;
	return child_start(&reader->jailer, &request, &read, &slot->recognise);
}

static struct err start_try(const struct run *run, struct slot *slot)
{
	int bitmap[2];

	if (pipe2(bitmap, O_CLOEXEC) != 0)
		return err_retry(ERR_CODE_TRY_AGAIN, "no descriptors for a page");
	fcntl(bitmap[1], F_SETPIPE_SZ, PIPE_BYTES);
	buf_clear(&slot->answer);
	struct err e = start_pair(run, slot, bitmap);
	close(bitmap[0]);
	close(bitmap[1]);
	return e;
}

static struct err start_page(struct run *run, struct slot *slot)
{
	uint64_t text_bytes = run->work->reader->conf.text_bytes;

	*slot = (struct slot){
		.page = &run->work->pages[run->next++],
		.try = decide_first(),
		.answer = BUF(text_bytes + sizeof(struct jail_answer)),
		.best = BUF(text_bytes + sizeof(struct jail_answer)),
		.best_confidence = -1,
		.turns = JAIL_TURNS_UNKNOWN,
		.started_ms = clock_mono_ms(),
	};
	run->busy++;
	return start_try(run, slot);
}

static void wipe(struct buf *buf)
{
	if (buf->ptr != NULL)
		explicit_bzero(buf->ptr, buf->cap);
	buf_done(buf);
}

static void free_slot(struct run *run, struct slot *slot)
{
	child_stop(&slot->render);
	child_stop(&slot->recognise);
	wipe(&slot->answer);
	wipe(&slot->best);
	slot->page = NULL;
	run->busy--;
	permit_give(run->work->reader->recognisers_fd);
}

/* Why the try failed as a whole, or NONE; *ret_answer is set with NONE. */
static struct err try_outcome(
	const struct slot *slot, struct jail_answer *ret_answer, enum err_code *ret_outcome)
{
	static const enum err_code verdicts[] = {
		[JAIL_READ] = ERR_CODE_NONE,
		[JAIL_BLANK] = ERR_CODE_NONE,
		[JAIL_NOT_A_BITMAP] = ERR_CODE_BROKEN,
		[JAIL_BITMAP_TOO_LARGE] = ERR_CODE_PAGE_TOO_LARGE,
		[JAIL_ENGINE_FAILED] = ERR_CODE_RESOURCE_LIMIT,
	};
	enum err_code drawn, read;
	struct str text;

	TRY(child_outcome(&slot->render, &drawn));
	TRY(child_outcome(&slot->recognise, &read));
	if (read == ERR_CODE_NONE &&
		(!answer_take(buf_str(&slot->answer), ret_answer, &text) ||
			ret_answer->verdict >= sizeof verdicts / sizeof *verdicts))
		read = ERR_CODE_BROKEN;
	if (read == ERR_CODE_NONE)
		read = verdicts[ret_answer->verdict];
	/* a renderer whose reader went away dies of that; one that died leaves half a bitmap */
	bool renderer_first = drawn != ERR_CODE_NONE && read == ERR_CODE_BROKEN;
	*ret_outcome = renderer_first || read == ERR_CODE_NONE ? drawn : read;
	return err_ok();
}

static void finish_page(struct run *run, struct slot *slot)
{
	struct jail_answer answer;
	struct document_page page = {
		.number = slot->page->number,
		.source = DOCUMENT_SOURCE_OCR,
		.confidence = slot->best_confidence,
		.time_ms = clock_mono_ms() - slot->started_ms,
	};

	bool valid = answer_take(buf_str(&slot->best), &answer, &page.text);
	char *text = valid ? malloc(page.text.len + 1) : NULL;
	if (text == NULL) {
		run->outcome = ERR_CODE_RESOURCE_LIMIT;
		return;
	}
	memcpy(text, page.text.ptr, page.text.len);
	text[page.text.len] = '\0';
	page.text.ptr = text;
	free_slot(run, slot);
	if (!run->work->done(run->work->arg, &page))
		run->enough = true;
}

/* Both children of the slot have ended. */
static struct err end_try(struct run *run, struct slot *slot)
{
	struct jail_answer answer;
	enum err_code outcome;

	TRY(try_outcome(slot, &answer, &outcome));
	if (outcome != ERR_CODE_NONE) {
		/* what an earlier try read is better than nothing */
		if (slot->best_confidence < 0)
			run->outcome = outcome;
		else
			finish_page(run, slot);
		return err_ok();
	}
	double confidence =
		answer.verdict == JAIL_BLANK ? 100 : (double)answer.confidence_centi / 100;
	if (confidence > slot->best_confidence) {
		struct buf worse = slot->best;
		slot->best = slot->answer;
		slot->answer = worse;
		slot->best_confidence = confidence;
		slot->turns = slot->try.search ? answer.quarter_turns : JAIL_TURNS_UNKNOWN;
	}
	if (decide_again(&slot->page->facts, run->work->reader->conf.pixels_max, slot->try,
		    slot->best_confidence, &slot->try))
		return start_try(run, slot);
	finish_page(run, slot);
	return err_ok();
}

static bool wants_more(const struct run *run)
{
	return run->next < run->work->page_count && run->busy < run->slot_count;
}

static struct err begin_pages(struct run *run)
{
	for (unsigned i = 0; i < run->slot_count && wants_more(run); i++) {
		if (run->slots[i].page != NULL)
			continue;
		if (!permit_try(run->work->reader->recognisers_fd))
			return err_ok();
		TRY(start_page(run, &run->slots[i]));
	}
	return err_ok();
}

static struct err wait_for_pages(struct run *run)
{
	struct child *children[2 * SLOTS_MAX];
	unsigned count = 0;

	for (unsigned i = 0; i < run->slot_count; i++) {
		if (run->slots[i].page == NULL)
			continue;
		children[count++] = &run->slots[i].render;
		children[count++] = &run->slots[i].recognise;
	}
	int wake_fd = wants_more(run) ? run->work->reader->recognisers_fd : -1;
	TRY(child_wait(children, count, wake_fd, run->work->job->deadline_ms));
	for (unsigned i = 0; i < run->slot_count && run->outcome == ERR_CODE_NONE; i++) {
		struct slot *slot = &run->slots[i];
		if (slot->page != NULL && !slot->render.busy && !slot->recognise.busy)
			TRY(end_try(run, slot));
	}
	return err_ok();
}

static struct err run_pages(struct run *run)
{
	while (run->outcome == ERR_CODE_NONE && !run->enough &&
		(run->busy > 0 || run->next < run->work->page_count)) {
		if (clock_mono_ms() >= run->work->job->deadline_ms) {
			run->outcome = ERR_CODE_EXPIRED;
			break;
		}
		TRY(begin_pages(run));
		TRY(wait_for_pages(run));
	}
	return err_ok();
}

struct err recogniser_run(const struct recogniser_work *work, enum err_code *ret_outcome)
{
	unsigned slot_count = work->reader->conf.recognisers;
	struct run run = { .work = work, .outcome = ERR_CODE_NONE };

	for (unsigned i = 0; i < work->page_count; i++) {
		if (!decide_too_large(&work->pages[i].facts, work->reader->conf.pixels_max))
			continue;
		*ret_outcome = ERR_CODE_PAGE_TOO_LARGE;
		return err_ok();
	}
	run.slot_count = slot_count < SLOTS_MAX ? slot_count : SLOTS_MAX;
	run.slots = calloc(run.slot_count, sizeof *run.slots);
	if (run.slots == NULL)
		return err_retry(ERR_CODE_OUT_OF_MEMORY, "no memory for pages");
	struct err e = run_pages(&run);
	for (unsigned i = 0; i < run.slot_count; i++)
		if (run.slots[i].page != NULL)
			free_slot(&run, &run.slots[i]);
	free(run.slots);
	if (e.kind == ERR_OK)
		*ret_outcome = run.outcome;
	return e;
}

/* The bitmap is smaller than a pipe, so it can be written before anybody reads. */
static struct err start_probe(struct document_reader *reader, struct slot *slot)
{
	const struct decide_try try = { PROBE_DPI, 0, false };
	struct jail_request request = request_of(&reader->conf, try);
	int bitmap[2];

	if (pipe2(bitmap, O_CLOEXEC | O_NONBLOCK) != 0)
		return err_retry(ERR_CODE_TRY_AGAIN, "no descriptors for the probe");
	bool written = probe_write(bitmap[1]);
	close(bitmap[1]);
	fcntl(bitmap[0], F_SETFL, 0);
	const struct child_wiring wiring = { bitmap[0], -1, 4096, add_answer, slot };
	request.task = JAIL_RECOGNISE;
	request.turns = 0;
	struct err e = written ? child_start(&reader->jailer, &request, &wiring, &slot->recognise)
			       : err_retry(ERR_CODE_TRY_AGAIN, "the probe could not be written");
	close(bitmap[0]);
	return e;
}

static struct err judge_probe(const struct slot *slot)
{
	struct jail_answer answer;
	enum err_code outcome;
	struct str text;

	TRY(child_outcome(&slot->recognise, &outcome));
	if (outcome == ERR_CODE_NONE && answer_take(buf_str(&slot->answer), &answer, &text) &&
		answer.verdict == JAIL_READ && probe_is_text(text))
		return err_ok();
	return err_fatal(ERR_CODE_INTERNAL, "the recogniser no longer reads the probe");
}

struct err recogniser_probe(struct document_reader *reader, int64_t deadline_ms)
{
	struct slot slot = { .answer = BUF(4096) };
	struct child *children[] = { &slot.recognise };

	if (!permit_take(reader->recognisers_fd, deadline_ms))
		return err_retry(ERR_CODE_TIMEOUT, "no recogniser was free for the probe");
	struct err e = start_probe(reader, &slot);
	while (e.kind == ERR_OK && slot.recognise.busy) {
		e = child_wait(children, 1, -1, deadline_ms);
		if (e.kind == ERR_OK && slot.recognise.busy && clock_mono_ms() >= deadline_ms)
			e = err_retry(ERR_CODE_TIMEOUT, "the probe was not read in time");
	}
	if (e.kind == ERR_OK)
		e = judge_probe(&slot);
	child_stop(&slot.recognise);
	buf_done(&slot.answer);
	permit_give(reader->recognisers_fd);
	return e;
}
