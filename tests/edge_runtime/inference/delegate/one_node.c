/* An external TFLite delegate, as an accelerator's driver is one, for tests.
 *
 * It takes the first CONCATENATION of a graph (of a graph without any, its first FULLY_CONNECTED)
 * and runs it by the kernel that the processor would have used, so results are the same to the
 * bit. On demand it fails as a stick that is not there, not understood, or pulled out:
 *
 *     fail=load       it cannot be made
 *     fail=prepare    it does not take the graph
 *     fail=invoke     it fails from the `after`th invocation of the process on
 *     slow=N          each invocation takes N microseconds longer
 *     load=N          an invocation takes N microseconds longer where another graph's was the last
 *     wrong=N         adds N steps to the first value of its output
 *
 * Built on TensorFlow Lite's own headers (Apache License 2.0), which lie beside it as they are in
 * TensorFlow 2.14.1.
 */
#define _POSIX_C_SOURCE 200809L

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "tensorflow/lite/builtin_ops.h"
#include "tensorflow/lite/c/common.h"
#include "tensorflow/lite/delegates/external/external_delegate_interface.h"

typedef struct {
  const char *fail;
  long after, slow_us, load_us, wrong;
} Options;

typedef struct {
  const Options *options;
  TfLiteNode *node;
  TfLiteRegistration *registration;
} Taken;

static long invocations; /* of all graphs: a stick is one */
static const void *loaded; /* whose weights it holds */

static Options options_of(const char *const *keys, const char *const *values, size_t n) {
  Options found = {"", 0, 0, 0, 0};
  for (size_t k = 0; k < n; ++k) {
    if (!strcmp(keys[k], "fail")) found.fail = strdup(values[k]);
    if (!strcmp(keys[k], "after")) found.after = atol(values[k]);
    if (!strcmp(keys[k], "slow")) found.slow_us = atol(values[k]);
    if (!strcmp(keys[k], "load")) found.load_us = atol(values[k]);
    if (!strcmp(keys[k], "wrong")) found.wrong = atol(values[k]);
  }
  return found;
}

static void *init(TfLiteContext *context, const char *buffer, size_t length) {
  (void)length;
  const TfLiteDelegateParams *params = (const TfLiteDelegateParams *)buffer;
  Taken *taken = calloc(1, sizeof *taken);
  taken->options = params->delegate->data_;
  int which = params->nodes_to_replace->data[0];
  if (context->GetNodeAndRegistration(context, which, &taken->node, &taken->registration)) {
    free(taken);
    return NULL;
  }
  return taken;
}

static void release(TfLiteContext *context, void *data) {
  (void)context;
  free(data);
}

static TfLiteStatus prepare(TfLiteContext *context, TfLiteNode *node) {
  Taken *taken = node->user_data;
  if (!taken) return kTfLiteError;
  if (!taken->registration->prepare) return kTfLiteOk;
  return taken->registration->prepare(context, taken->node);
}

static TfLiteStatus invoke(TfLiteContext *context, TfLiteNode *node) {
  Taken *taken = node->user_data;
  const Options *options = taken->options;
  if (!strcmp(options->fail, "invoke") && ++invocations > options->after) {
    context->ReportError(context, "the stick is gone");
    return kTfLiteError;
  }
  if (options->slow_us) {
    struct timespec pause = {0, options->slow_us * 1000};
    nanosleep(&pause, NULL);
  }
  if (options->load_us && loaded != taken) {
    struct timespec pause = {0, options->load_us * 1000};
    nanosleep(&pause, NULL);
    loaded = taken;
  }
  TfLiteStatus status = taken->registration->invoke(context, taken->node);
  if (status == kTfLiteOk && options->wrong) {
    TfLiteTensor *output = &context->tensors[node->outputs->data[0]];
    output->data.int8[0] = (int8_t)(output->data.int8[0] + options->wrong);
  }
  return status;
}

static TfLiteRegistration kernel(void) {
  TfLiteRegistration made;
  memset(&made, 0, sizeof made);
  made.init = init;
  made.free = release;
  made.prepare = prepare;
  made.invoke = invoke;
  made.custom_name = "OneNode";
  made.version = 1;
  return made;
}

/* The first node of this kind in the execution plan, -1 without one. */
static int first(TfLiteContext *context, const TfLiteIntArray *plan, int builtin) {
  for (int k = 0; k < plan->size; ++k) {
    TfLiteNode *node;
    TfLiteRegistration *registration;
    if (context->GetNodeAndRegistration(context, plan->data[k], &node, &registration)) continue;
    if (registration->builtin_code == builtin) return plan->data[k];
  }
  return -1;
}

static TfLiteStatus take(TfLiteContext *context, TfLiteDelegate *delegate) {
  const Options *options = delegate->data_;
  if (!strcmp(options->fail, "prepare")) {
    context->ReportError(context, "this graph is not for the stick");
    return kTfLiteError;
  }
  TfLiteIntArray *plan;
  if (context->GetExecutionPlan(context, &plan)) return kTfLiteError;
  int which = first(context, plan, kTfLiteBuiltinConcatenation);
  if (which < 0) which = first(context, plan, kTfLiteBuiltinFullyConnected);
  if (which < 0) return kTfLiteOk;
  size_t size = sizeof(TfLiteIntArray) + sizeof(int);
  TfLiteIntArray *chosen = malloc(size);
  chosen->size = 1;
  memcpy((char *)chosen + sizeof(int), &which, sizeof which);
  TfLiteStatus status =
      context->ReplaceNodeSubsetsWithDelegateKernels(context, kernel(), chosen, delegate);
  free(chosen);
  return status;
}

TfLiteDelegate *tflite_plugin_create_delegate(const char *const *keys, const char *const *values,
                                              size_t n, void (*report_error)(const char *)) {
  Options options = options_of(keys, values, n);
  if (!strcmp(options.fail, "load")) {
    if (report_error) report_error("no stick was found");
    return NULL;
  }
  TfLiteDelegate *delegate = calloc(1, sizeof *delegate);
  Options *kept = malloc(sizeof *kept);
  *kept = options;
  delegate->data_ = kept;
  delegate->Prepare = take;
  delegate->flags = kTfLiteDelegateFlagsNone;
  return delegate;
}

void tflite_plugin_destroy_delegate(TfLiteDelegate *delegate) {
  if (!delegate) return;
  free(delegate->data_);
  free(delegate);
}
