#include "document_reader.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "frame/metrics.h"

#include "cgroup.h"
#include "child.h"
#include "inventory.h"
#include "permit.h"
#include "pictures.h"
#include "recogniser.h"
#include "textlayer.h"

enum {
	RECOGNISERS_MAX = 64,
	PAGES_MAX = 100000,
	INVENTORY_BYTES = 4 << 20,
	LAYER_BYTES_PER_TEXT_BYTE = 64, /* a word of one letter is some 90 bytes of XHTML */
	PICTURES_BYTES = 64 << 20,
	CHILDREN_PER_PERMIT = 2, /* of a reader and of a recogniser */
	REST_BYTES = 256 << 20,	 /* for this process and the zygote */
};

/* One document on its way through the phases. outcome stays NONE while it is well. */
struct reading {
	struct document_reader *reader;
	const struct document_job *job;
	enum err_code outcome;
	struct inventory inventory;
	struct textlayer layer;
	struct pictures pictures;
	int64_t layers_ms;   /* spent on all text layers */
	uint64_t left_bytes; /* of text */
	bool *told;	     /* pages_max: the caller knows of these pages */
	struct document document;
};

static uint64_t or_default(uint64_t value, uint64_t standard)
{
	return value == 0 ? standard : value;
}

static struct document_conf complete(const struct document_conf *conf)
{
	long cores = sysconf(_SC_NPROCESSORS_ONLN);
	unsigned count = cores < 1		   ? 1
			 : cores > RECOGNISERS_MAX ? RECOGNISERS_MAX
						   : (unsigned)cores;

	count = (unsigned)or_default(conf->recognisers, count);
	return (struct document_conf){
		.jail = conf->jail,
		.recognisers = count,
		.readers = (unsigned)or_default(conf->readers, count),
		.pages_max = (unsigned)or_default(conf->pages_max, 500),
		.pixels_max = (uint32_t)or_default(conf->pixels_max, 40000000),
		.cpu_s = (uint32_t)or_default(conf->cpu_s, 60),
		.memory_bytes = or_default(conf->memory_bytes, 1ULL << 30),
		.text_bytes = or_default(conf->text_bytes, 8 << 20),
	};
}

/* Beside our own executable, unless conf says where. */
static bool find_jail(const struct document_conf *conf, char *ret_path)
{
	if (conf->jail_path != NULL)
		return snprintf(ret_path, PATH_MAX, "%s", conf->jail_path) < PATH_MAX;
	ssize_t len = readlink("/proc/self/exe", ret_path, PATH_MAX - 1);
	if (len <= 0)
		return false;
	ret_path[len] = '\0';
	char *slash = strrchr(ret_path, '/');
	if (slash == NULL)
		return false;
	size_t room = (size_t)(PATH_MAX - (slash + 1 - ret_path));
	return snprintf(slash + 1, room, "esteira-ocr-jail") < (int)room;
}

struct err document_open(const struct document_conf *conf, struct document_reader **ret_reader)
{
	char path[PATH_MAX];
	struct document_reader *reader = calloc(1, sizeof *reader);

	if (reader == NULL)
		return err_fatal(ERR_CODE_OUT_OF_MEMORY, "no memory for the document reader");
	reader->conf = complete(conf);
	struct err e = err_fatal(ERR_CODE_BAD_CONFIG, "limits of documents are out of range");
	if (reader->conf.recognisers <= RECOGNISERS_MAX && reader->conf.pages_max <= PAGES_MAX &&
		reader->conf.text_bytes <= UINT32_MAX / 2 &&
		reader->conf.memory_bytes <= 1ULL << 40 && find_jail(conf, path))
		e = jailer_start(path, conf->jail == DOCUMENT_JAIL_REQUIRE, &reader->jailer);
	if (e.kind != ERR_OK) {
		free(reader);
		return e;
	}
	reader->readers_fd = permit_open(reader->conf.readers);
	reader->recognisers_fd = permit_open(reader->conf.recognisers);
	reader->locale = textlayer_locale();
	if (reader->readers_fd < 0 || reader->recognisers_fd < 0 || reader->locale == (locale_t)0) {
		document_close(reader);
		return err_fatal(
			ERR_CODE_INTERNAL, "no descriptors or memory for the document reader");
	}
	*ret_reader = reader;
	return err_ok();
}

void document_close(struct document_reader *reader)
{
	if (reader == NULL)
		return;
	jailer_stop(&reader->jailer);
	if (reader->readers_fd >= 0)
		close(reader->readers_fd);
	if (reader->recognisers_fd >= 0)
		close(reader->recognisers_fd);
	if (reader->locale != (locale_t)0)
		freelocale(reader->locale);
	free(reader);
}

const char *document_jail_missing(const struct document_reader *reader)
{
	static const char *const names[] = {
		[0] = "",
		[JAIL_NO_LANDLOCK] = "landlock",
		[JAIL_NO_SECCOMP] = "seccomp",
		[JAIL_NO_LANDLOCK | JAIL_NO_SECCOMP] = "landlock,seccomp",
	};

	return names[reader->jailer.missing & (JAIL_NO_LANDLOCK | JAIL_NO_SECCOMP)];
}

static double read_restarts(void *arg)
{
	return document_jail_restarts(arg);
}

void document_measure(struct document_reader *reader, struct metrics *metrics)
{
	static const struct metrics_spec restarts = { METRICS_COUNTER,
		"esteira_jail_restarts_total", "Zygotes that died and were replaced.", { NULL },
		NULL, 0 };
	static const struct metrics_spec children = { METRICS_COUNTER,
		"esteira_jail_children_total", "Processes of the jail by task and how they ended.",
		{ "task", "outcome" }, NULL, 0 };

	metrics_watch(metrics_register(metrics, &restarts), NULL, read_restarts, reader);
	reader->jailer.children = metrics_register(metrics, &children);
}

unsigned document_jail_restarts(const struct document_reader *reader)
{
	return reader->jailer.restarts;
}

struct err document_memory_check(const struct document_reader *reader)
{
	const struct document_conf *conf = &reader->conf;
	uint64_t children = ((uint64_t)conf->readers + conf->recognisers) * CHILDREN_PER_PERMIT;

	if (children * conf->memory_bytes + REST_BYTES <= cgroup_memory_max())
		return err_ok();
	return err_fatal(ERR_CODE_BAD_CONFIG,
		"2 x (readers + recognisers) x memory per child + 256 MiB is more than the "
		"container may use");
}

struct err document_probe(struct document_reader *reader, int64_t deadline_ms)
{
	return recogniser_probe(reader, deadline_ms);
}

/* Waits for all children; EXPIRED at the deadline, else how the first unhappy one ended. */
static struct err await(struct reading *reading, struct child *const *children, size_t count)
{
	bool busy = true;

	while (busy && reading->outcome == ERR_CODE_NONE) {
		TRY(child_wait(children, count, -1, reading->job->deadline_ms));
		busy = false;
		for (size_t i = 0; i < count; i++)
			busy = busy || children[i]->busy;
		if (busy && clock_mono_ms() >= reading->job->deadline_ms)
			reading->outcome = ERR_CODE_EXPIRED;
	}
	for (size_t i = 0; i < count && reading->outcome == ERR_CODE_NONE; i++)
		TRY(child_outcome(children[i], &reading->outcome));
	return err_ok();
}

static struct err start_reader(const struct reading *reading, enum jail_task task,
	unsigned page_last, const struct child_wiring *wiring, struct child *child)
{
	const struct document_conf *conf = &reading->reader->conf;
	struct jail_request request = {
		.task = task,
		.page_first = 1,
		.page_last = page_last,
		.dpi = 72,
		.cpu_s = conf->cpu_s,
		.memory_bytes = conf->memory_bytes,
	};

	return child_start(&reading->reader->jailer, &request, wiring, child);
}

/* Phase 1: is it a PDF we can open, how many pages, how large. */
static struct err take_inventory(struct reading *reading)
{
	struct inventory *inventory = &reading->inventory;
	unsigned pages_max = reading->reader->conf.pages_max;
	const struct child_wiring wiring = { reading->job->pdf_fd, -1, INVENTORY_BYTES,
		inventory_feed, inventory };
	struct child child = { 0 };
	struct child *children[] = { &child };

	if (!inventory_open(inventory, pages_max))
		return err_retry(ERR_CODE_OUT_OF_MEMORY, "no memory for a document");
	struct err e = start_reader(reading, JAIL_INVENTORY, pages_max, &wiring, &child);
	if (e.kind == ERR_OK)
		e = await(reading, children, 1);
	child_stop(&child);
	TRY(e);
	lines_end(&inventory->lines);
	if (reading->outcome == ERR_CODE_BROKEN && inventory->needs_password)
		reading->outcome = ERR_CODE_ENCRYPTED;
	if (reading->outcome != ERR_CODE_NONE)
		return err_ok();
	if (inventory->page_count == 0)
		reading->outcome = ERR_CODE_BROKEN;
	else if (inventory->page_count > pages_max)
		reading->outcome = ERR_CODE_TOO_MANY_PAGES;
	else
		reading->document.pages_total = (unsigned)inventory->page_count;
	return err_ok();
}

/* Phase 2: the text layers and the pictures beside them, by two children at once. */
static struct err take_layers(struct reading *reading)
{
	unsigned pages = reading->document.pages_total;
	uint64_t text_bytes = reading->reader->conf.text_bytes;
	const struct child_wiring texts = { reading->job->pdf_fd, -1,
		text_bytes * LAYER_BYTES_PER_TEXT_BYTE, textlayer_feed, &reading->layer };
	const struct child_wiring pictures = { reading->job->pdf_fd, -1, PICTURES_BYTES,
		pictures_feed, &reading->pictures };
	struct child text_child = { 0 }, picture_child = { 0 };
	struct child *children[] = { &text_child, &picture_child };
	int64_t start_ms = clock_mono_ms();

	if (!textlayer_open(&reading->layer, reading->reader->locale, pages, text_bytes) ||
		!pictures_open(&reading->pictures, pages))
		return err_retry(ERR_CODE_OUT_OF_MEMORY, "no memory for a document");
	struct err e = start_reader(reading, JAIL_TEXT_LAYER, pages, &texts, &text_child);
	if (e.kind == ERR_OK)
		e = start_reader(reading, JAIL_PICTURES, pages, &pictures, &picture_child);
	if (e.kind == ERR_OK)
		e = await(reading, children, 2);
	child_stop(&text_child);
	child_stop(&picture_child);
	lines_end(&reading->layer.lines);
	lines_end(&reading->pictures.lines);
	reading->layers_ms = clock_mono_ms() - start_ms;
	if (e.kind == ERR_OK && reading->layer.overflow)
		reading->outcome = ERR_CODE_RESOURCE_LIMIT;
	return e;
}

/* Phases 1 and 2 under a permit. */
static struct err look_at(struct reading *reading)
{
	if (!permit_take(reading->reader->readers_fd, reading->job->deadline_ms)) {
		reading->outcome = ERR_CODE_EXPIRED;
		return err_ok();
	}
	struct err e = take_inventory(reading);
	if (e.kind == ERR_OK && reading->outcome == ERR_CODE_NONE)
		e = take_layers(reading);
	permit_give(reading->reader->readers_fd);
	return e;
}

static struct decide_page facts_of(const struct reading *reading, unsigned index)
{
	const struct textlayer_page *text = &reading->layer.pages[index];
	const struct inventory_page *size = &reading->inventory.pages[index];

	return (struct decide_page){
		.width_pt = size->width_pt,
		.height_pt = size->height_pt,
		.points = text->points,
		.sound = text->sound,
		.letters = text->letters,
		.text_share = text->text_share,
		.picture_in2 = reading->pictures.areas_in2[index],
	};
}

static void tell(const struct reading *reading, const struct document_page *page)
{
	bool *told = &reading->told[page->number - 1];

	if (reading->job->page != NULL && !*told)
		reading->job->page(reading->job->arg, page, reading->document.pages_total);
	*told = true;
}

static void keep_text_page(struct reading *reading, unsigned index)
{
	struct buf *text = &reading->layer.pages[index].text;
	struct document_page *page = &reading->document.pages[index];

	*page = (struct document_page){
		.number = index + 1,
		.source = DOCUMENT_SOURCE_TEXT,
		.confidence = 100,
		.time_ms = reading->layers_ms / reading->document.pages_total,
		.text = buf_str(text),
	};
	reading->left_bytes -= text->len;
	buf_take(text);
	reading->document.pages_text++;
	tell(reading, page);
}

static bool keep_ocr_page(void *arg, const struct document_page *page)
{
	struct reading *reading = arg;

	reading->document.pages[page->number - 1] = *page;
	reading->document.pages_ocr++;
	if (page->text.len > reading->left_bytes) {
		reading->outcome = ERR_CODE_RESOURCE_LIMIT;
		return false;
	}
	reading->left_bytes -= page->text.len;
	tell(reading, page);
	return true;
}

/* Phase 3: pages are taken from their text layer at once, the others are recognised. */
static struct err take_pages(struct reading *reading)
{
	unsigned total = reading->document.pages_total, count = 0;
	struct recogniser_page *pages = calloc(total, sizeof *pages);

	reading->document.pages = calloc(total, sizeof *reading->document.pages);
	if (pages == NULL || reading->document.pages == NULL) {
		free(pages);
		return err_retry(ERR_CODE_OUT_OF_MEMORY, "no memory for a document");
	}
	reading->left_bytes = reading->reader->conf.text_bytes;
	for (unsigned i = 0; i < total; i++) {
		struct decide_page facts = facts_of(reading, i);
		if (decide_uses_text(&facts))
			keep_text_page(reading, i);
		else
			pages[count++] = (struct recogniser_page){ facts, i + 1 };
	}
	const struct recogniser_work work = { reading->reader, reading->job, pages, count,
		keep_ocr_page, reading };
	enum err_code outcome = ERR_CODE_NONE;
	struct err e = count == 0 ? err_ok() : recogniser_run(&work, &outcome);
	free(pages);
	if (reading->outcome == ERR_CODE_NONE)
		reading->outcome = outcome;
	return e;
}

static bool has_text(struct str text)
{
	for (size_t i = 0; i < text.len; i++)
		if ((unsigned char)text.ptr[i] > ' ')
			return true;
	return false;
}

static void sum_up(struct reading *reading)
{
	struct document *document = &reading->document;
	double confidence = 0;
	bool any = false;

	for (unsigned i = 0; i < document->pages_total; i++) {
		confidence += document->pages[i].confidence;
		any = any || has_text(document->pages[i].text);
	}
	document->confidence_avg = confidence / document->pages_total;
	if (!any)
		reading->outcome = ERR_CODE_NO_TEXT;
}

static void free_pages(struct document *document)
{
	for (unsigned i = 0; document->pages != NULL && i < document->pages_total; i++) {
		char *text = (char *)(uintptr_t)document->pages[i].text.ptr;
		if (text != NULL)
			explicit_bzero(text, document->pages[i].text.len);
		free(text);
	}
	free(document->pages);
	document->pages = NULL;
	document->pages_text = document->pages_ocr = 0;
	document->confidence_avg = 0;
}

static struct err read_once(struct document_reader *reader, const struct document_job *job,
	bool *told, struct document *ret_document)
{
	struct reading reading = {
		.reader = reader, .job = job, .outcome = ERR_CODE_NONE, .told = told
	};

	struct err e = look_at(&reading);
	if (e.kind == ERR_OK && reading.outcome == ERR_CODE_NONE)
		e = take_pages(&reading);
	if (e.kind == ERR_OK && reading.outcome == ERR_CODE_NONE)
		sum_up(&reading);
	inventory_close(&reading.inventory);
	textlayer_close(&reading.layer);
	pictures_close(&reading.pictures);
	if (e.kind != ERR_OK || reading.outcome != ERR_CODE_NONE)
		free_pages(&reading.document);
	TRY(e);
	reading.document.outcome = reading.outcome;
	*ret_document = reading.document;
	return err_ok();
}

struct err document_read(struct document_reader *reader, const struct document_job *job,
	struct document *ret_document)
{
	bool *told = calloc(reader->conf.pages_max, sizeof *told);

	if (told == NULL)
		return err_retry(ERR_CODE_OUT_OF_MEMORY, "no memory for a document");
	struct err e = read_once(reader, job, told, ret_document);
	if (jailer_is_gone(e)) /* our own fault, the first time */
		e = read_once(reader, job, told, ret_document);
	free(told);
	if (!jailer_is_gone(e))
		return e;
	*ret_document = (struct document){ .outcome = ERR_CODE_INTERNAL };
	return err_ok();
}

void document_done(struct document *document)
{
	free_pages(document);
}
