#include "base/clock.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

static int64_t read_us(clockid_t id)
{
	struct timespec now;

	clock_gettime(id, &now);
	return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

int64_t clock_wall_ms(void)
{
	return read_us(CLOCK_REALTIME) / 1000;
}

int64_t clock_wall_us(void)
{
	return read_us(CLOCK_REALTIME);
}

int64_t clock_mono_ms(void)
{
	return read_us(CLOCK_MONOTONIC) / 1000;
}

int64_t clock_mono_us(void)
{
	return read_us(CLOCK_MONOTONIC);
}

void clock_format(int64_t wall_ms, char *ret_text)
{
	static const int64_t first = -62167219200000, last = 253402300799999;
	int64_t ms = wall_ms < first ? first : wall_ms > last ? last : wall_ms;
	int64_t rest = ((ms % 1000) + 1000) % 1000;
	time_t seconds = (time_t)((ms - rest) / 1000);
	struct tm tm;
	char year[16];

	gmtime_r(&seconds, &tm);
	/* strftime's %Y does not pad the year to four digits; the range above keeps it at most four
	 */
	snprintf(year, sizeof year, "%04d", tm.tm_year + 1900);
	memcpy(ret_text, year, 4);
	strftime(ret_text + 4, CLOCK_TEXT_BYTES - 4, "-%m-%dT%H:%M:%S", &tm);
	snprintf(ret_text + 19, CLOCK_TEXT_BYTES - 19, ".%03dZ", (int)rest);
}

/* len digits at *text as a number, consumed; -1 when they are not all digits. */
static int take_digits(struct str *text, size_t len)
{
	uint64_t number;

	if (text->len < len || !str_to_u64((struct str){ text->ptr, len }, &number))
		return -1;
	text->ptr += len;
	text->len -= len;
	return (int)number;
}

static bool take_char(struct str *text, const char *any_of)
{
	if (text->len == 0)
		return false;
	for (; *any_of != '\0'; any_of++) {
		if (text->ptr[0] == *any_of) {
			text->ptr++;
			text->len--;
			return true;
		}
	}
	return false;
}

/* ".123456" as milliseconds, further digits dropped; no fraction is 0; -1 when malformed. */
static int take_fraction(struct str *text)
{
	int ms = 0, weight = 100;
	bool empty = true;

	if (!take_char(text, "."))
		return 0;
	while (text->len > 0 && text->ptr[0] >= '0' && text->ptr[0] <= '9') {
		ms += (text->ptr[0] - '0') * weight;
		weight /= 10;
		empty = false;
		text->ptr++;
		text->len--;
	}
	return empty ? -1 : ms;
}

/* "Z" or "+03:00" as minutes east; false when malformed. */
static bool take_zone(struct str *text, int *ret_minutes)
{
	if (take_char(text, "Zz")) {
		*ret_minutes = 0;
		return true;
	}
	bool west = text->len > 0 && text->ptr[0] == '-';
	if (!take_char(text, "+-"))
		return false;
	int hours = take_digits(text, 2);
	if (hours < 0 || hours > 23 || !take_char(text, ":"))
		return false;
	int minutes = take_digits(text, 2);
	if (minutes < 0 || minutes > 59)
		return false;
	*ret_minutes = (hours * 60 + minutes) * (west ? -1 : 1);
	return true;
}

static bool take_date(struct str *text, struct tm *ret_tm)
{
	int year = take_digits(text, 4);
	bool sep = take_char(text, "-");
	int month = take_digits(text, 2);
	sep = sep && take_char(text, "-");
	int day = take_digits(text, 2);

	if (!sep || year < 0 || month < 1 || month > 12 || day < 1)
		return false;
	static const int days[] = { 31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
	bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
	if (day > days[month - 1] || (month == 2 && day == 29 && !leap))
		return false;
	ret_tm->tm_year = year - 1900;
	ret_tm->tm_mon = month - 1;
	ret_tm->tm_mday = day;
	return true;
}

static bool take_time(struct str *text, struct tm *ret_tm)
{
	int hour = take_digits(text, 2);
	bool sep = take_char(text, ":");
	int minute = take_digits(text, 2);
	sep = sep && take_char(text, ":");
	int second = take_digits(text, 2);

	if (!sep || hour < 0 || hour > 23 || minute < 0 || minute > 59 || second < 0 || second > 60)
		return false;
	ret_tm->tm_hour = hour;
	ret_tm->tm_min = minute;
	ret_tm->tm_sec = second;
	return true;
}

bool clock_parse(struct str text, int64_t *ret_wall_ms)
{
	struct tm tm = { 0 };
	int zone;

	if (!take_date(&text, &tm) || !take_char(&text, "Tt") || !take_time(&text, &tm))
		return false;
	int ms = take_fraction(&text);
	if (ms < 0 || !take_zone(&text, &zone) || text.len != 0)
		return false;
	*ret_wall_ms = ((int64_t)timegm(&tm) - zone * 60) * 1000 + ms;
	return true;
}
