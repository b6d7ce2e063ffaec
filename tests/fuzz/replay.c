/*
 * The main() of a fuzz harness in a build without libFuzzer: runs every file of the corpus folders
 * named on the command line once, so that the corpus is a regression test with every compiler.
 */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int replay_file(const char *path)
{
	enum { MAX_BYTES = 1 << 20 };
	FILE *file = fopen(path, "rb");
	uint8_t *data = malloc(MAX_BYTES);

	if (file == NULL || data == NULL)
		return 1;
	size_t size = fread(data, 1, MAX_BYTES, file);
	fclose(file);
	/* an exact copy, so that a sanitizer sees a read past the end */
	uint8_t *exact = malloc(size == 0 ? 1 : size);
	if (exact == NULL)
		return 1;
	for (size_t i = 0; i < size; i++)
		exact[i] = data[i];
	LLVMFuzzerTestOneInput(exact, size);
	free(exact);
	free(data);
	return 0;
}

int main(int argc, char **argv)
{
	int inputs = 0;

	for (int i = 1; i < argc; i++) {
		DIR *dir = opendir(argv[i]);
		if (dir == NULL)
			return fprintf(stderr, "no corpus folder %s\n", argv[i]), 1;
		for (struct dirent *entry; (entry = readdir(dir)) != NULL;) {
			char path[4096];
			if (entry->d_name[0] == '.')
				continue;
			snprintf(path, sizeof path, "%s/%s", argv[i], entry->d_name);
			if (replay_file(path) != 0)
				return fprintf(stderr, "cannot read %s\n", path), 1;
			inputs++;
		}
		closedir(dir);
	}
	printf("%d inputs\n", inputs);
	return inputs == 0; /* a corpus that is empty tests nothing */
}
