#include "partner/book.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/log.h"
#include "partner/book_store.h"
#include "port/pg.h"

enum { READ_S = 5, ARENA_BYTES = 64 << 20 };

struct partner_book {
	pthread_mutex_t lock; /* of what follows */
	pthread_cond_t changed;
	struct partner_row *rows;
	size_t count;
	unsigned version;
	bool stopping;

	bool runs; /* the thread; it alone uses what follows */
	pthread_t thread;
	struct pg *pg;
	struct arena *arena;
};

struct partner_book *partner_book_new(void)
{
	struct partner_book *book = calloc(1, sizeof *book);
	pthread_condattr_t attr;

	if (book == NULL)
		return NULL;
	pthread_mutex_init(&book->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&book->changed, &attr);
	pthread_condattr_destroy(&attr);
	return book;
}

/* --- questions --- */

/* The order of the rows. */
static int compare(const struct partner_row *a, const struct partner_row *b)
{
	int by_partner = strcmp(a->partner, b->partner);

	return by_partner != 0 ? by_partner : strcmp(a->tenant.slug, b->tenant.slug);
}

static bool copy_slug(char *to, const char *slug)
{
	size_t len = strlen(slug);

	if (len >= PARTNER_SLUG_BYTES)
		return false;
	memcpy(to, slug, len + 1);
	return true;
}

/* The first row that is not before it. */
static size_t lower_bound(const struct partner_book *book, const struct partner_row *wanted)
{
	size_t from = 0, to = book->count;

	while (from < to) {
		size_t middle = from + (to - from) / 2;
		if (compare(&book->rows[middle], wanted) < 0)
			from = middle + 1;
		else
			to = middle;
	}
	return from;
}

/* With the lock. */
static enum partner_answer find(struct partner_book *book, const struct partner_row *wanted,
	struct partner_tenant *ret_tenant)
{
	struct partner_row first = *wanted;

	first.tenant.slug[0] = '\0';
	size_t at = lower_bound(book, &first);
	if (at == book->count || strcmp(book->rows[at].partner, wanted->partner) != 0)
		return PARTNER_UNKNOWN;
	at = lower_bound(book, wanted);
	if (at == book->count || compare(&book->rows[at], wanted) != 0)
		return PARTNER_NOT_THEIRS;
	*ret_tenant = book->rows[at].tenant;
	return PARTNER_GRANTED;
}

enum partner_answer partner_book_find(struct partner_book *book, const char *partner,
	const char *slug, struct partner_tenant *ret_tenant)
{
	struct partner_row wanted;

	if (!copy_slug(wanted.partner, partner))
		return PARTNER_UNKNOWN;
	/* a partner without tenants has a row with "" */
	bool nameless = slug[0] == '\0' || !copy_slug(wanted.tenant.slug, slug);
	if (nameless)
		memcpy(wanted.tenant.slug, "-", 2); /* no slug begins so */
	pthread_mutex_lock(&book->lock);
	enum partner_answer answer = find(book, &wanted, ret_tenant);
	pthread_mutex_unlock(&book->lock);
	return answer;
}

static bool is_next_partner(const struct partner_row *rows, size_t at)
{
	return at == 0 || strcmp(rows[at - 1].partner, rows[at].partner) != 0;
}

/* With the lock. */
static struct err list(
	const struct partner_book *book, struct arena *arena, struct partner_slugs *ret_slugs)
{
	const char **items = arena_alloc(arena, (book->count + 1) * sizeof *items);
	size_t count = 0;

	if (items == NULL)
		return arena_overflow();
	for (size_t i = 0; i < book->count; i++) {
		if (!is_next_partner(book->rows, i))
			continue;
		items[count] = arena_strdup(arena, str_of(book->rows[i].partner));
		if (items[count++] == NULL)
			return arena_overflow();
	}
	*ret_slugs = (struct partner_slugs){ items, count };
	return err_ok();
}

struct err partner_book_slugs(
	struct partner_book *book, struct arena *arena, struct partner_slugs *ret_slugs)
{
	pthread_mutex_lock(&book->lock);
	struct err e = list(book, arena, ret_slugs);
	pthread_mutex_unlock(&book->lock);
	return e;
}

unsigned partner_book_version(struct partner_book *book)
{
	pthread_mutex_lock(&book->lock);
	unsigned version = book->version;
	pthread_mutex_unlock(&book->lock);
	return version;
}

/* --- readings --- */

static size_t next_partner(const struct partner_row *rows, size_t count, size_t at)
{
	do
		at++;
	while (at < count && !is_next_partner(rows, at));
	return at;
}

static bool same_partners(
	const struct partner_row *a, size_t a_count, const struct partner_row *b, size_t b_count)
{
	size_t i = 0, j = 0;

	while (i < a_count && j < b_count && strcmp(a[i].partner, b[j].partner) == 0) {
		i = next_partner(a, a_count, i);
		j = next_partner(b, b_count, j);
	}
	return i >= a_count && j >= b_count;
}

struct err partner_book_take(
	struct partner_book *book, const struct partner_row *rows, size_t count)
{
	struct partner_row *taken = calloc(count + 1, sizeof *taken);

	if (taken == NULL)
		return err_fatal(ERR_CODE_OUT_OF_MEMORY, "no memory for the book of partners");
	if (count > 0)
		memcpy(taken, rows, count * sizeof *taken);
	pthread_mutex_lock(&book->lock);
	if (book->version == 0 || !same_partners(book->rows, book->count, taken, count))
		book->version++;
	struct partner_row *old = book->rows;
	book->rows = taken;
	book->count = count;
	pthread_mutex_unlock(&book->lock);
	free(old);
	return err_ok();
}

static struct err read_anew(struct partner_book *book)
{
	const struct partner_row *rows;
	size_t count;

	TRY(book_store_load(book->pg, book->arena, &rows, &count));
	if (count > BOOK_STORE_ROWS_MAX) {
		LOG(LOG_ERROR, "partners.too_many_grants", LOG_INT("taken", BOOK_STORE_ROWS_MAX));
		count = BOOK_STORE_ROWS_MAX;
	}
	return partner_book_take(book, rows, count);
}

static bool wait_for_turn(struct partner_book *book)
{
	struct timespec until;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += READ_S;
	pthread_mutex_lock(&book->lock);
	while (!book->stopping)
		if (pthread_cond_timedwait(&book->changed, &book->lock, &until) != 0)
			break;
	bool go_on = !book->stopping;
	pthread_mutex_unlock(&book->lock);
	return go_on;
}

static void *thread_main(void *arg)
{
	struct partner_book *book = arg;

	do {
		struct err e = read_anew(book);
		if (e.kind != ERR_OK)
			LOG(LOG_WARN, "partners.not_read", LOG_ERR(e));
		arena_reset(book->arena);
	} while (wait_for_turn(book));
	return NULL;
}

struct err partner_book_start(struct partner_book *book, const struct pg_conf *pg)
{
	book->pg = pg_new(pg);
	book->arena = arena_new(ARENA_BYTES);
	if (book->pg != NULL && book->arena != NULL)
		book->runs = pthread_create(&book->thread, NULL, thread_main, book) == 0;
	return book->runs ? err_ok()
			  : err_fatal(ERR_CODE_OUT_OF_MEMORY, "no memory for the book of partners");
}

void partner_book_free(struct partner_book *book)
{
	if (book == NULL)
		return;
	pthread_mutex_lock(&book->lock);
	book->stopping = true;
	pthread_cond_signal(&book->changed);
	pthread_mutex_unlock(&book->lock);
	if (book->runs)
		pthread_join(book->thread, NULL);
	pg_free(book->pg);
	arena_free(book->arena);
	free(book->rows);
	pthread_cond_destroy(&book->changed);
	pthread_mutex_destroy(&book->lock);
	free(book);
}
