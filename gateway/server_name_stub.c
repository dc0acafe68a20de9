#include "gateway/server_name.h"
#include <stdlib.h>
struct hv_quic_name_reader *hv_quic_name_new(void) { return malloc(8); }
void hv_quic_name_free(struct hv_quic_name_reader *reader) { free(reader); }
enum hv_server_name_event hv_quic_name_feed(struct hv_quic_name_reader *reader, const uint8_t *datagram, size_t size) { (void)reader;(void)datagram;(void)size; return HV_SERVER_NAME_DONE; }
const char *hv_quic_name(const struct hv_quic_name_reader *reader) { (void)reader; return ""; }
const char *hv_quic_name_fault(const struct hv_quic_name_reader *reader) { (void)reader; return ""; }
bool hv_quic_begins_another(const uint8_t *datagram, size_t size);
bool hv_quic_begins_another(const uint8_t *datagram, size_t size) { (void)datagram; (void)size; return false; }
