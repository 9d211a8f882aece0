/* Open Inference Protocol v2 (REST): every head is a model; a row is a payment, judged as if it came next. */
#ifndef SERVER_INFER_H
#define SERVER_INFER_H

#include "server.h"

void infer_live(server *s, call *c);
void infer_server_ready(server *s, call *c);
void infer_metadata(server *s, call *c); /* of the server */
void infer_model(server *s, call *c);    /* of a model: name, inputs, outputs */
void infer_model_ready(server *s, call *c);
void infer_post(server *s, call *c);
/* A row is decided (d), or refused (d NULL, message). */
void infer_row(call *c, const florin_decision *d, const char *message);
/* All rows are: the answer. */
void infer_finish(server *s, call *c);

#endif
