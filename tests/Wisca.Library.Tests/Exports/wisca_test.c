/* Uses every function of wisca.h as a program in C would. Arguments: a plan's request (a file), a model folder, a folder
   that is not there, and how often to do all of it: what is lost in memory must not grow with that. */
#include "wisca.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int checks, faults;

#define CHECK(holds) \
  do { \
    checks++; \
    if (!(holds)) { faults++; fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #holds); } \
  } while (0)

/* What an error says; it is freed here. */
static int says(char *error, const char *part) {
  int found = error != NULL && strstr(error, part) != NULL;
  if (!found) fprintf(stderr, "the error is %s\n", error ? error : "none");
  wisca_free(error);
  return found;
}

static char *read_file(const char *path) {
  FILE *file = fopen(path, "rb");
  if (!file) { perror(path); exit(2); }
  fseek(file, 0, SEEK_END);
  long length = ftell(file);
  rewind(file);
  char *text = malloc((size_t)length + 1);
  if (fread(text, 1, (size_t)length, file) != (size_t)length) exit(2);
  text[length] = 0;
  fclose(file);
  return text;
}

/* The number behind the last "key": of a document of ours, which is enough of JSON here. */
static double number(const char *json, const char *key) {
  const char *found = NULL, *next = json;
  char quoted[64];
  snprintf(quoted, sizeof quoted, "\"%s\":", key);
  while ((next = strstr(next, quoted)) != NULL) found = next += strlen(quoted);
  return found ? strtod(found, NULL) : NAN;
}

static void runs(const char *model, const char *nowhere) {
  char arguments[8192], *output = NULL, *messages = NULL, *error = NULL;
  snprintf(arguments, sizeof arguments, "[\"inspect\", \"%s\", \"--json\"]", model);
  CHECK(wisca_run(arguments, NULL, &output, &messages, &error) == WISCA_OK);
  CHECK(output != NULL && strstr(output, "\"architecture\": \"llama\"") != NULL);
  CHECK(messages != NULL && *messages == 0);
  CHECK(error == NULL);
  wisca_free(output);
  wisca_free(messages);

  snprintf(arguments, sizeof arguments, "[\"inspect\", \"%s\"]", nowhere);
  CHECK(wisca_run(arguments, NULL, NULL, NULL, &error) == WISCA_FAILED);
  CHECK(says(error, "does not exist"));
  CHECK(wisca_run("[\"inspect\"]", NULL, NULL, NULL, NULL) == WISCA_USAGE);
  CHECK(wisca_run("inspect", NULL, &output, NULL, &error) == WISCA_USAGE && output == NULL);
  CHECK(says(error, "arguments"));
  CHECK(wisca_run(NULL, NULL, NULL, NULL, &error) == WISCA_USAGE);
  CHECK(says(error, "null pointer"));
  CHECK(wisca_run("[\"\xff\"]", NULL, NULL, NULL, &error) == WISCA_USAGE);
  CHECK(says(error, "not UTF-8"));

  wisca_cancellation *cancellation = wisca_cancellation_new();
  wisca_cancellation_cancel(cancellation);
  snprintf(arguments, sizeof arguments, "[\"rescale\", \"%s\", \"--out\", \"%s\"]", model, nowhere);
  CHECK(wisca_run(arguments, cancellation, NULL, NULL, &error) == WISCA_CANCELLED);
  CHECK(says(error, "cancelled"));
  wisca_cancellation_free(cancellation);
  wisca_cancellation_free(NULL);
}

/* What the factors are is the business of tests that know the core; here made-up numbers go all the way and back. */
static void solves(const char *request) {
  char *error = NULL, *text = NULL;
  wisca_plan *plan = NULL;
  CHECK(wisca_plan_new(request, &plan, &error) == WISCA_OK);
  CHECK(wisca_plan_describe(plan, &text, &error) == WISCA_OK && strstr(text, "\"exchanges\"") && strstr(text, "\"spaces\""));
  wisca_free(text);

  wisca_solve *solve = NULL;
  CHECK(wisca_solve_new(plan, &solve, &error) == WISCA_OK);
  wisca_ledger *ledger = NULL;
  CHECK(wisca_ledger_new(plan, NULL, &ledger, &error) == WISCA_OK);
  CHECK(wisca_ledger_record(ledger, solve, &error) == WISCA_USAGE);
  CHECK(says(error, "not done"));
  CHECK(wisca_ledger_record(ledger, (wisca_solve *)plan, &error) == WISCA_USAGE);
  CHECK(says(error, "of another kind"));

  CHECK(wisca_solve_next(solve, &text, &error) == WISCA_OK && strstr(text, "\"done\":false"));
  size_t count = (size_t)number(text, "count");
  wisca_free(text);
  CHECK(count > 0);
  double *numbers = malloc(count * sizeof *numbers);
  for (size_t i = 0; i < count; i++) numbers[i] = NAN;
  CHECK(wisca_solve_provide(solve, numbers, count, &error) == WISCA_FAILED);
  CHECK(says(error, "NaN or infinity"));
  for (size_t i = 0; i < count; i++) numbers[i] = 1 + (double)(i % 7);
  CHECK(wisca_solve_provide(solve, numbers, count - 1, &error) == WISCA_USAGE);
  CHECK(says(error, "numbers are provided"));
  CHECK(wisca_solve_provide(solve, NULL, count, NULL) == WISCA_USAGE);
  CHECK(wisca_solve_provide(solve, numbers, count, &error) == WISCA_OK);
  free(numbers);

  CHECK(wisca_solve_next(solve, &text, &error) == WISCA_OK && strstr(text, "\"done\":true"));
  size_t room = 0;
  sscanf(strstr(text, "\"count\":"), "\"count\":%zu", &room);
  wisca_free(text);
  double *factors = malloc((room + 1) * sizeof *factors), *back = malloc((room + 1) * sizeof *back);
  CHECK(wisca_solve_factors(solve, factors, room + 1, &error) == WISCA_USAGE);
  CHECK(says(error, "expected"));
  CHECK(room > 0 && wisca_solve_factors(solve, factors, room, &error) == WISCA_OK);

  CHECK(wisca_ledger_record(ledger, solve, &error) == WISCA_OK);
  CHECK(wisca_ledger_state(ledger, &text, &error) == WISCA_OK && number(text, "transitions") == 1);
  wisca_ledger *resumed = NULL;
  CHECK(wisca_ledger_new(plan, text, &resumed, &error) == WISCA_OK);
  wisca_free(text);
  CHECK(wisca_ledger_new(plan, "{}", &resumed, &error) == WISCA_USAGE);
  CHECK(says(error, "state"));
  wisca_solve *undo = NULL;
  CHECK(wisca_ledger_undo(resumed, &undo, &error) == WISCA_OK);

  /* A solve outlives its plan. */
  wisca_plan_free(plan);
  CHECK(wisca_solve_factors(undo, back, room, &error) == WISCA_OK);
  int inverse = 1;
  for (size_t i = 0; i < room; i++) inverse &= fabs(factors[i] * back[i] - 1) < 1e-14;
  CHECK(inverse);
  CHECK(wisca_ledger_write(ledger, "/nowhere", NULL, 0, NULL, &error) == WISCA_FAILED);
  wisca_free(error);
  CHECK(wisca_ledger_write(ledger, "/nowhere", factors, 1, NULL, &error) == WISCA_USAGE);
  CHECK(says(error, "numbers of rotations"));
  free(factors);
  free(back);
  wisca_solve_free(solve);
  wisca_solve_free(undo);
  wisca_ledger_free(ledger);
  wisca_ledger_free(resumed);
  wisca_plan_free(NULL);
  wisca_solve_free(NULL);
  wisca_ledger_free(NULL);

  CHECK(wisca_plan_new("{}", &plan, &error) == WISCA_USAGE);
  CHECK(says(error, "request"));
  CHECK(wisca_plan_new(request, NULL, &error) == WISCA_USAGE);
  CHECK(says(error, "null pointer"));
  CHECK(wisca_plan_describe(NULL, &text, NULL) == WISCA_USAGE);
}

#define N 8

static double distance_from_orthogonal(const double *r) {
  double most = 0;
  for (int i = 0; i < N; i++)
    for (int j = 0; j < N; j++) {
      double sum = i == j ? -1 : 0;
      for (int k = 0; k < N; k++) sum += r[i * N + k] * r[j * N + k];
      most = fmax(most, fabs(sum));
    }
  return most;
}

static void rotates(void) {
  double r[N * N], again[N * N], smaller[(N - 1) * (N - 1)], whole[N * N], gains[N], after[N];
  char *error = NULL;
  CHECK(wisca_basis_random(N, 3, 0, r, &error) == WISCA_OK && distance_from_orthogonal(r) < 1e-14);
  CHECK(wisca_basis_random(N, 3, 1, whole, &error) == WISCA_OK && distance_from_orthogonal(whole) < 1e-14);
  double sum = 0;
  for (int j = 0; j < N; j++) sum += whole[j];
  CHECK(fabs(sum - 1) < 1e-14);
  CHECK(wisca_basis_hadamard(N, 3, 0, again, &error) == WISCA_OK && fabs(fabs(again[5]) - 1 / sqrt(N)) < 1e-15);
  CHECK(wisca_basis_hadamard(N, 3, 1, again, &error) == WISCA_FAILED);
  CHECK(says(error, "vector of ones"));
  CHECK(wisca_basis_hadamard(7, 3, 0, again, &error) == WISCA_FAILED);
  CHECK(says(error, "size 7"));

  /* Rows of the identity in another order, one of them turned round: the identity is nearest. */
  memset(r, 0, sizeof r);
  for (int i = 0; i < N; i++) r[i * N + (i + 3) % N] = i == 2 ? -1 : 1;
  CHECK(wisca_basis_nearest(N, r, again, &error) == WISCA_OK);
  int identity = 1;
  for (int i = 0; i < N * N; i++) identity &= again[i] == (i % (N + 1) == 0);
  CHECK(identity);

  /* A rotation of the complement and back. */
  CHECK(wisca_basis_beside_ones(N, whole, smaller, &error) == WISCA_OK);
  CHECK(wisca_basis_keeping_ones(N, smaller, again, &error) == WISCA_OK && distance_from_orthogonal(again) < 1e-13);

  for (int i = 0; i < N; i++) gains[i] = 2;
  CHECK(wisca_gains_follow(N, gains, whole, after, &error) == WISCA_OK && fabs(after[3] - 2) < 1e-14);
  gains[4] = 0;
  CHECK(wisca_gains_follow(N, gains, whole, after, &error) == WISCA_FAILED);
  CHECK(says(error, "channel 4"));
  CHECK(wisca_basis_random(0, 1, 0, r, &error) == WISCA_USAGE);
  CHECK(says(error, "n is 0"));
}

int main(int count, char **arguments) {
  if (count != 5) return 2;
  CHECK(wisca_abi() == (WISCA_ABI_MAJOR << 16 | WISCA_ABI_MINOR));
  CHECK(strlen(wisca_version()) > 4);
  wisca_free(NULL);
  char *request = read_file(arguments[1]);
  for (int round = atoi(arguments[4]); round > 0; round--) {
    runs(arguments[2], arguments[3]);
    solves(request);
    rotates();
  }

  free(request);
  printf("%d checks, %d faults\n", checks, faults);
  return faults > 0;
}
