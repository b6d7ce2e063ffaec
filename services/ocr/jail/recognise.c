#include "recognise.h"

#include <errno.h>
#include <leptonica/allheaders.h>
#include <string.h>
#include <unistd.h>

#include "engine.h"
#include "pgm.h"
#include "request.h"
#include "upright.h"

/* Below this a page whose letters do not tell is also read the other ways round: a page the wrong
 * way up reads at 40 to 55, a poor one the right way up at 75 and more
 * (docs/decisions/0007-ocr-zoom.md). */
static const double wrong_way_confidence = 70;

struct view {
	struct Pix *pix;
	int turns; /* quarter turns it has been given */
};

/* Reads view turned to turns, and keeps what was read when it is better than *best. */
static bool read_turned(struct engine *engine, const struct jail_request *request,
	struct view *view, int turns, struct engine_reading *best)
{
	struct engine_reading reading;

	upright_turn(&view->pix, (turns - view->turns + 4) % 4);
	view->turns = turns;
	if (!engine_read(engine, view->pix, request->dpi, &reading))
		return false;
	if (best->text != NULL && reading.confidence <= best->confidence) {
		engine_reading_done(&reading);
		return false;
	}
	if (best->text != NULL)
		engine_reading_done(best);
	*best = reading;
	return true;
}

/* Reads the page as its letters stand, and the other ways round when that went badly. */
static int read_best(struct engine *engine, const struct jail_request *request, struct view *view,
	struct engine_reading *best)
{
	static const int other_ways[] = { 2, 1, 3 };
	int found = request->turns < 4 ? (int)request->turns : upright_turns(view->pix);
	int turns = found < 0 ? 0 : found;

	if (turns % 2 == 1) {
		upright_turn(&view->pix, turns);
		view->turns = turns;
		upright_level(&view->pix);
	}
	read_turned(engine, request, view, turns, best);
	if (found >= 0 || request->search == 0)
		return turns;
	for (size_t i = 0; i < 3 && best->confidence < wrong_way_confidence; i++)
		if (read_turned(engine, request, view, other_ways[i], best))
			turns = other_ways[i];
	return turns;
}

static bool write_all(const void *data, size_t len)
{
	const char *at = data;

	while (len > 0) {
		ssize_t n = write(STDOUT_FILENO, at, len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return false;
		at += n;
		len -= (size_t)n;
	}
	return true;
}

static int reply(struct jail_answer answer, const char *text)
{
	answer.magic = JAIL_MAGIC;
	answer.text_bytes = text == NULL ? 0 : (uint32_t)strlen(text);
	return write_all(&answer, sizeof answer) && write_all(text, answer.text_bytes) ? 0 : 1;
}

int recognise_page(struct engine *engine, const struct jail_request *request)
{
	static const enum jail_verdict refusals[] = {
		[PGM_BROKEN] = JAIL_NOT_A_BITMAP, [PGM_TOO_LARGE] = JAIL_BITMAP_TOO_LARGE
	};
	struct view view = { NULL, 0 };
	struct engine_reading best = { NULL, 0 };

	enum pgm_status status = pgm_read(STDIN_FILENO, request->pixels_max, &view.pix);
	if (status != PGM_OK)
		return reply((struct jail_answer){ .verdict = refusals[status] }, NULL);
	if (upright_blank(view.pix))
		return reply((struct jail_answer){ .verdict = JAIL_BLANK }, NULL);
	upright_smooth(&view.pix, (int)request->smooth);
	double skew = upright_level(&view.pix);
	int turns = read_best(engine, request, &view, &best);
	if (best.text == NULL)
		return reply((struct jail_answer){ .verdict = JAIL_ENGINE_FAILED }, NULL);
	return reply(
		(struct jail_answer){
			.verdict = JAIL_READ,
			.confidence_centi = (uint32_t)(best.confidence * 100),
			.skew_centi = (int32_t)(skew * 100),
			.quarter_turns = (uint32_t)turns,
		},
		best.text);
}
