#include "frame/certificate.h"

#include "frame/metrics.h"
#include "port/tls.h"

static const struct metrics_spec ends_spec = { METRICS_GAUGE,
	"esteira_tls_certificate_expiry_timestamp_seconds",
	"When the certificate that is shown on that wire ends, seconds since 1970.",
	{ "certificate" }, NULL, 0 };

void certificate_watch(
	struct metrics *metrics, const char *name, double (*read)(void *arg), void *arg)
{
	metrics_watch(metrics_register(metrics, &ends_spec), &name, read, arg);
}

void certificate_note(struct metrics *metrics, const char *name, const char *path)
{
	int64_t ends_s = path == NULL || path[0] == '\0' ? 0 : tls_file_expires_s(path);

	if (ends_s != 0)
		metrics_set(metrics_register(metrics, &ends_spec), &name, (double)ends_s);
}
