#if Kafka
    internal import CRdKafka
    internal import MillraceSystem

    /// What librdkafka said by way of its callbacks, which come on threads of its own.
    ///
    /// **Thread-safety**: any thread.
    final class ClientNotes: Sendable {
        /// What was said last, and the worst.
        struct State: Sendable {
            /// The newest error of the client as a whole, such as that no broker answers.
            var error: (code: rd_kafka_resp_err_t, text: String)?
            /// The newest line of the log that is an error.
            var log: String?
            /// The first record that could not be delivered, since that was asked last.
            var delivery: (code: rd_kafka_resp_err_t, partition: Int32)?
        }

        private let state = Lock(State())

        /// What is known now.
        var now: State { state.withLock { $0 } }

        /// Whether a broker was lost since `forgetError`.
        var hasError: Bool { state.withLock { $0.error != nil } }
        func forgetError() { state.withLock { $0.error = nil } }

        /// The first record that could not be delivered, which is then forgotten.
        func takeDelivery() -> (code: rd_kafka_resp_err_t, partition: Int32)? {
            state.withLock { state in
                defer { state.delivery = nil }
                return state.delivery
            }
        }

        fileprivate func note(_ code: rd_kafka_resp_err_t, _ text: String) {
            // That all brokers are down follows from what was said of each.
            guard code != RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN else { return }
            state.withLock { $0.error = (code, text) }
        }

        fileprivate func noteLog(_ text: String) { state.withLock { $0.log = text } }

        fileprivate func noteDelivery(_ code: rd_kafka_resp_err_t, _ partition: Int32) {
            // What was let go of because another record failed does not say why.
            guard code != RD_KAFKA_RESP_ERR__PURGE_QUEUE,
                code != RD_KAFKA_RESP_ERR__PURGE_INFLIGHT
            else { return }
            state.withLock { if $0.delivery == nil { $0.delivery = (code, partition) } }
        }

        /// Makes a configuration report to this; it must live as long as the client.
        func listen(_ configuration: OpaquePointer) {
            let place = unsafe Unmanaged.passUnretained(self).toOpaque()
            unsafe rd_kafka_conf_set_opaque(configuration, place)
            unsafe rd_kafka_conf_set_error_cb(configuration) { _, code, reason, opaque in
                guard let notes = unsafe ClientNotes.at(opaque) else { return }
                let text = unsafe reason.map { unsafe String(cString: $0) } ?? ""
                notes.note(rd_kafka_resp_err_t(rawValue: code), text)
            }
            unsafe rd_kafka_conf_set_log_cb(configuration) { client, level, _, text in
                // Errors and worse; the rest would only repeat what calls return.
                guard level <= 3, let client = unsafe client, let text = unsafe text,
                    let notes = unsafe ClientNotes.at(rd_kafka_opaque(client))
                else { return }
                notes.noteLog(unsafe String(cString: text))
            }
            unsafe rd_kafka_conf_set_dr_msg_cb(configuration) { _, message, opaque in
                guard let message = unsafe message, let notes = unsafe ClientNotes.at(opaque)
                else { return }
                let code = unsafe message.pointee.err
                if code != RD_KAFKA_RESP_ERR_NO_ERROR {
                    notes.noteDelivery(code, unsafe message.pointee.partition)
                }
            }
        }

        private static func at(_ opaque: UnsafeMutableRawPointer?) -> ClientNotes? {
            // SAFETY: what `listen` has set, which lives until the client is gone.
            unsafe opaque.map {
                unsafe Unmanaged<ClientNotes>.fromOpaque($0).takeUnretainedValue()
            }
        }
    }
#endif
