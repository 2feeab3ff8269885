#if Kafka
    internal import CRdKafka

    /// The end of a client, for which nobody waits for ever.
    ///
    /// Where no broker answers, `rd_kafka_destroy` may not return.
    /// - Source: librdkafka's issue 4519.
    @safe final class ClientEnd: @unchecked Sendable {
        // Sendable: the handle is used by the one thread that destroys it.
        private let pointer: OpaquePointer
        private let flags: Int32
        /// Kept, since callbacks may come until the end.
        private let notes: ClientNotes

        /// How long the end is waited for; afterwards it comes when it comes, on its own thread.
        private static let mostMilliseconds = 5_000

        /// The end of the client `pointer`, whose callbacks report to `notes`.
        @unsafe init(_ pointer: OpaquePointer, flags: Int32, _ notes: ClientNotes) {
            unsafe self.pointer = pointer
            self.flags = flags
            self.notes = notes
        }

        /// Destroys the client.
        func happen() {
            _ = DetachedCall.answer(within: Self.mostMilliseconds) { self.destroy() }
        }

        private func destroy() { unsafe rd_kafka_destroy_flags(pointer, flags) }
    }
#endif
