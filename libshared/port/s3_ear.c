#include "port/s3_ear.h"

#include "port/s3.h"

static enum s3_outcome outcome_of(int status)
{
	struct err e = s3_status(status);

	if (e.kind == ERR_OK)
		return S3_OK;
	if (err_is(e, ERR_CODE_NOT_FOUND))
		return S3_MISSING;
	return err_is(e, ERR_CODE_STORAGE_REFUSED) ? S3_REFUSED : S3_FAILED;
}

void s3_ear_tell(
	const struct s3_ear *ear, enum s3_operation operation, int status, int64_t since_us)
{
	if (ear->heard != NULL)
		ear->heard(ear->arg, operation, outcome_of(status), clock_mono_us() - since_us);
}
