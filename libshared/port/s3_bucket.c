#include "port/http.h"
#include "port/s3.h"
#include "port/s3_request.h"
#include "port/s3_xml.h"

enum { ANSWER_MAX = 64 * 1024 };

/* One signed request about the bucket itself, with a query like "?versioning". */
static struct err ask(
	struct s3 *s3, const char *method, struct str question, struct http_response *ret_response)
{
	struct s3_sign_pair query = { question, { "", 0 } };
	struct s3_request request = {
		.method = method,
		.query = { &query, 1 },
		.response_max_bytes = ANSWER_MAX,
	};

	return s3_request_call(s3, &request, ret_response);
}

/* 501 Not Implemented; some servers say 400 or 405 to a question that they do not know. */
static bool is_unknown(const struct http_response *response)
{
	return response->status == 501 || response->status == 405 ||
	       (response->status == 400 &&
		       s3_xml_is(buf_str(&response->body), "Code", STR("NotImplemented")));
}

/* At start a refusal is a mistake in the configuration, which waiting does not mend. */
static struct err judge(int status)
{
	if (status == 404)
		return err_fatal(ERR_CODE_STORAGE_REFUSED,
			"the bucket does not exist: make it, or configure the name of another");
	if (status == 401 || status == 403)
		return err_fatal(ERR_CODE_STORAGE_REFUSED,
			"the storage refuses the keys: configure the right ones, and allow them to "
			"list the bucket and to read and set its properties");
	return s3_status(status);
}

/* Some servers answer the questions below for a bucket that does not exist. */
static struct err check_there(struct s3 *s3)
{
	SCOPED(http_response_done) struct http_response response = { 0 };
	struct s3_request request = { .method = "HEAD", .response_max_bytes = ANSWER_MAX };

	TRY(s3_request_call(s3, &request, &response));
	return judge(response.status);
}

static struct err check_versioning(struct s3 *s3, enum s3_known *ret_known)
{
	SCOPED(http_response_done) struct http_response response = { 0 };

	TRY(ask(s3, "GET", STR("versioning"), &response));
	if (is_unknown(&response)) {
		*ret_known = S3_UNKNOWN;
		return err_ok();
	}
	TRY(judge(response.status));
	if (s3_xml_is(buf_str(&response.body), "Status", STR("Enabled")))
		return err_fatal(ERR_CODE_UNSAFE_STORE, "the bucket keeps versions of objects");
	*ret_known = S3_KNOWN;
	return err_ok();
}

static struct err check_lock(struct s3 *s3, enum s3_known *ret_known)
{
	SCOPED(http_response_done) struct http_response response = { 0 };

	TRY(ask(s3, "GET", STR("object-lock"), &response));
	if (is_unknown(&response)) {
		*ret_known = S3_UNKNOWN;
		return err_ok();
	}
	if (response.status != 404) { /* ObjectLockConfigurationNotFoundError: off */
		TRY(judge(response.status));
		if (s3_xml_is(buf_str(&response.body), "ObjectLockEnabled", STR("Enabled")))
			return err_fatal(ERR_CODE_UNSAFE_STORE, "the bucket locks objects");
	}
	*ret_known = S3_KNOWN;
	return err_ok();
}

struct err s3_bucket_check(struct s3 *s3, enum s3_known *ret_known)
{
	enum s3_known versioning, lock;

	TRY(check_there(s3));
	TRY(check_versioning(s3, &versioning));
	TRY(check_lock(s3, &lock));
	*ret_known = versioning == S3_KNOWN && lock == S3_KNOWN ? S3_KNOWN : S3_UNKNOWN;
	return err_ok();
}

#define LIFECYCLE                                                                                  \
	"<LifecycleConfiguration xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">"               \
	"<Rule><ID>esteira-one-day</ID><Filter><Prefix></Prefix></Filter>"                         \
	"<Status>Enabled</Status><Expiration><Days>1</Days></Expiration>"                          \
	"<AbortIncompleteMultipartUpload><DaysAfterInitiation>1</DaysAfterInitiation>"             \
	"</AbortIncompleteMultipartUpload></Rule></LifecycleConfiguration>"
/* Required by the API; of the constant above, so that no MD5 is computed here. */
#define LIFECYCLE_MD5 "jwuiyv5+j4NgtULyc6k9Qw=="

struct err s3_bucket_lifecycle(struct s3 *s3, enum s3_known *ret_known)
{
	SCOPED(http_response_done) struct http_response response = { 0 };
	struct s3_sign_pair query = { STR("lifecycle"), { "", 0 } };
	struct s3_sign_pair md5 = { STR("content-md5"), STR(LIFECYCLE_MD5) };
	struct s3_request request = {
		.method = "PUT",
		.query = { &query, 1 },
		.extra = { &md5, 1 },
		.body = STR(LIFECYCLE),
		.response_max_bytes = ANSWER_MAX,
	};

	TRY(s3_request_call(s3, &request, &response));
	if (is_unknown(&response)) {
		*ret_known = S3_UNKNOWN;
		return err_ok();
	}
	TRY(judge(response.status));
	*ret_known = S3_KNOWN;
	return err_ok();
}
