/*
 * libwisca: exact moves of Transformer checkpoints to equivalent ones, for programs in any language.
 *
 * The library decides, the caller computes: a plan is made from names and shapes; the caller measures what the plan asks for with its own
 * tensors, wherever they are; the library finds the factors; the caller multiplies weights and optimizer state by powers of them.
 *
 * Strings are UTF-8 and end with a zero. What a function takes it does not keep; strings that it gives are freed by wisca_free, handles by
 * their own _free, which take NULL too. Different handles may be used by different threads at once, one handle by one thread at a time
 * (but for wisca_cancellation_cancel, which any thread may call at any time). Nothing calls back, and there is no global state.
 *
 * Functions that can fail return a status. Where it is not WISCA_OK and `error` is not NULL, *error is a JSON object
 * {"message": "one line", "hint": "one line" or null, "details": ["a line", ...]}.
 */
#ifndef WISCA_H
#define WISCA_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The binary interface: a program that was built for 1.n works with a library of 1.m where m >= n. */
#define WISCA_ABI_MAJOR 1
#define WISCA_ABI_MINOR 0

enum {
  WISCA_OK = 0,
  WISCA_FAILED = 1,    /* bad input or a failed check: what a user can act on */
  WISCA_USAGE = 2,     /* arguments or JSON that are not as described here */
  WISCA_CANCELLED = 3, /* by wisca_cancellation_cancel; nothing half-written is left */
  WISCA_INTERNAL = 4   /* a fault of the library */
};

typedef struct wisca_cancellation wisca_cancellation;
typedef struct wisca_plan wisca_plan;
typedef struct wisca_solve wisca_solve;
typedef struct wisca_ledger wisca_ledger;

uint32_t wisca_abi(void);       /* major << 16 | minor */
const char *wisca_version(void); /* static: not to be freed */
void wisca_free(void *memory);

/* ---- Whole folders ----------------------------------------------------------------------------------------------------------------- */

wisca_cancellation *wisca_cancellation_new(void);
void wisca_cancellation_cancel(wisca_cancellation *cancellation);
void wisca_cancellation_free(wisca_cancellation *cancellation);

/*
 * Runs a command line of the program `wisca`: arguments is a JSON array of its words, ["rescale", "MODEL", "--out", "DIR", "--json"].
 * The status is its exit code: 0 done, 1 bad input or a failed check, 2 wrong usage; or WISCA_CANCELLED.
 * output: what it wrote to standard output; messages: to standard error. Either may be NULL.
 * Where a check says no (verify: not equivalent) the status is 1 and *error is NULL: the report is in *output.
 */
int32_t wisca_run(const char *arguments, wisca_cancellation *cancellation, char **output, char **messages, char **error);

/* ---- Plans ------------------------------------------------------------------------------------------------------------------------- */

/*
 * request: {
 *   "config": the content of the model's config.json,
 *   "tensors": [{"name": "...", "shape": [4096, 1024], "dtype": "F32"}, ...],  whole tensors, where they are sharded; tied ones once
 *   "architecture": a table of one's own, for a model_type that is not known   (optional)
 *   "transitions": {"preset": "qk_ten+vo_ten"} or any of "qk", "vo", "mlp", "norms" with a granularity (tensor, kv-head, pair, channel),
 *                  or "all": true; and "layers": "0-3", "criterion": "l1", "rounding": "auto" | "pow2" | "none", "max_log2": 6,
 *                  "hysteresis": 0                                             (optional; the words are those of the command line)
 *   "rotations": {"stream": true, "values": true}                              (optional)
 * }
 * FAILED where the tensors are not those of the model, or where nothing that is asked for is exact.
 */
int32_t wisca_plan_new(const char *request, wisca_plan **plan, char **error);

/*
 * description: {
 *   "architecture": "llama",
 *   "exchanges": [{"layer", "kind", "granularity", "space", "groups": how many, "slices": [{"tensor", "axis", "exponent", "bias"}]}],
 *   "refusals": [{"kind", "layers", "reason"}],
 *   "spaces": [{"name", "kind", "size", "keeps_ones", "slices": [{"tensor", "axis", "start", "role", "gain"}],
 *               "gains": [{"tensor", "bias", "must_be_uniform", "adds_one"}]}],
 *   "rotation_refusals": [{"kind", "layers", "reason"}]
 * }
 * A space is turned by an orthogonal R [size, size]: along the axis of each slice, from start,
 *   W'[.., start + j, ..] = sum over i of W[.., start + i, ..] M[i, j],   M = R, or diag(g) R diag(1 / g') where the slice names a gain,
 * with g the gain before (1 + what is stored where adds_one) and g' after. A gain's bias b becomes (b / g) R g'. Roles: writes, reads,
 * bias, embedding, head.
 */
int32_t wisca_plan_describe(wisca_plan *plan, char **description, char **error);
void wisca_plan_free(wisca_plan *plan);

/* ---- Solving ----------------------------------------------------------------------------------------------------------------------- */

/* The plan may be freed before the solve is. */
int32_t wisca_solve_new(wisca_plan *plan, wisca_solve **solve, char **error);

/*
 * state, until it is done: {"done": false, "count": N, "measures": [{"kind", "tensor", "axis", "parts", "adds_one", "others",
 *   "second_moments", "length", "group_of_index", "groups"}]}: N numbers are to be provided, for each measure in turn
 *   kind axis: `length` sums of |w|, then as many sums of w^2, then, with second_moments, as many sums of the optimizer's second moments;
 *     each for an index along the axis, in float64. A tensor of more than two axes counts as its matrices one below the other,
 *     reshape(-1, last); with parts > 1 each of the parts has columns of its own. adds_one: 1 + w is measured. others: factors along the
 *     other axis, by which elements are multiplied first; null for none.
 *   kind spectral: for each of `groups` groups the largest singular value of the rows (axis 0) or columns (axis 1) that group_of_index
 *     gives it; -1 is of no group.
 * state, done: {"done": true, "count": N, "factors": [{"tensor", "rows", "columns", "adds_one"}],
 *   "groups": [{"exchange", "group", "layer", "kind", "label", "multiplied_norm", "divided_norm", "factor", "outcome", "note"}],
 *   "objective": {"before", "after", "sweeps"} or null}
 */
int32_t wisca_solve_next(wisca_solve *solve, char **state, char **error);

/* FAILED where a number is NaN or infinite; it names the tensor. */
int32_t wisca_solve_provide(wisca_solve *solve, const double *numbers, size_t count, char **error);

/*
 * The factors of a solve that is done, for each tensor in the order of "factors" those of its rows, then of its columns (more than the last
 * axis has: those of each matrix of a stack). A weight becomes weight * row * column, formed in float64 and rounded once; with adds_one
 * (1 + weight) * row - 1. What is kept beside a weight becomes tensor * (row * column)^degree: +1 for copies and averages, -1 for momenta,
 * -2 for second moments.
 */
int32_t wisca_solve_factors(wisca_solve *solve, double *factors, size_t count, char **error);
void wisca_solve_free(wisca_solve *solve);

/* ---- The product of all transitions of a training --------------------------------------------------------------------------------- */

/* state: what wisca_ledger_state gave, to resume; NULL to begin. */
int32_t wisca_ledger_new(wisca_plan *plan, const char *state, wisca_ledger **ledger, char **error);
int32_t wisca_ledger_record(wisca_ledger *ledger, wisca_solve *solve, char **error); /* a solve that was applied */
int32_t wisca_ledger_state(wisca_ledger *ledger, char **state, char **error);

/* A solve that is done: its factors take all transitions back. */
int32_t wisca_ledger_undo(wisca_ledger *ledger, wisca_solve **solve, char **error);

/*
 * Writes wisca.json, and the file of rotations, into a model folder that is complete but for them; `wisca undo` then gives the gauge that
 * the training began in. totals: the product of all rotations of each space of the plan, in order, row by row; NULL for none. from: the
 * model folder that the training began from, whose moves come before; NULL for none. FAILED where there is a wisca.json already.
 */
int32_t wisca_ledger_write(
    wisca_ledger *ledger, const char *folder, const double *totals, size_t count, const char *from, char **error);
void wisca_ledger_free(wisca_ledger *ledger);

/* ---- Rotations: matrices [n, n] row by row ----------------------------------------------------------------------------------------- */

/* Drawn evenly from all orthogonal matrices, or a Hadamard matrix with random signs; keeps_ones: R (1, .., 1) = (1, .., 1). */
int32_t wisca_basis_random(int32_t n, uint64_t seed, int32_t keeps_ones, double *rotation, char **error);
int32_t wisca_basis_hadamard(int32_t n, uint64_t seed, int32_t keeps_ones, double *rotation, char **error);

/* Rows of `vectors` are a basis; the columns of `rotation` are its vectors in the order and with the signs that are nearest to the identity. */
int32_t wisca_basis_nearest(int32_t n, const double *vectors, double *rotation, char **error);

/* A covariance on the complement of (1, .., 1), [n - 1, n - 1], and a rotation of that complement as one of the whole. */
int32_t wisca_basis_beside_ones(int32_t n, const double *covariance, double *smaller, char **error);
int32_t wisca_basis_keeping_ones(int32_t n, const double *smaller, double *rotation, char **error);

/* The gains g' that follow a rotation. FAILED where a gain is too near to zero to be divided by. */
int32_t wisca_gains_follow(int32_t n, const double *gains, const double *rotation, double *after, char **error);

#ifdef __cplusplus
}
#endif

#endif
