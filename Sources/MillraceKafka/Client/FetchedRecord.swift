#if Kafka
    internal import CRdKafka
    package import MillraceLog

    /// A record as a broker gave it, given back with the value.
    ///
    /// **Thread-safety**: one owner.
    @safe package struct FetchedRecord: ~Copyable {
        private let message: UnsafeMutablePointer<rd_kafka_message_t>

        /// Takes `message` over.
        @unsafe
        init(_ message: UnsafeMutablePointer<rd_kafka_message_t>) {
            unsafe self.message = message
        }

        deinit { unsafe rd_kafka_message_destroy(message) }

        var code: rd_kafka_resp_err_t { unsafe message.pointee.err }
        /// The partition that it is of.
        package var partition: Int { Int(unsafe message.pointee.partition) }
        /// Its offset; of an end that of the next record.
        package var offset: Int64 { unsafe message.pointee.offset }

        /// What librdkafka says of an error.
        var errorText: String {
            unsafe rd_kafka_message_errstr(message).map { unsafe String(cString: $0) } ?? ""
        }

        /// Milliseconds since 1970; nil when the record has no time.
        package var milliseconds: Int64? {
            let time = unsafe rd_kafka_message_timestamp(message, nil)
            return time < 0 ? nil : time
        }

        /// The value; nil where there is none.
        package var value: Span<UInt8>? {
            @_lifetime(borrow self)
            get {
                unsafe span(message.pointee.payload, message.pointee.len)
            }
        }

        /// The key; nil where there is none.
        package var key: Span<UInt8>? {
            @_lifetime(borrow self)
            get {
                unsafe span(message.pointee.key, message.pointee.key_len)
            }
        }

        @unsafe
        @_lifetime(borrow self)
        private func span(_ start: UnsafeMutableRawPointer?, _ count: Int) -> Span<UInt8>? {
            guard let start = unsafe start else { return nil }
            // SAFETY: the bytes are the message's, which lives as long as `self`.
            let bytes = unsafe Span<UInt8>(
                _unsafeStart: start.assumingMemoryBound(to: UInt8.self), count: count)
            return unsafe _overrideLifetime(bytes, borrowing: self)
        }

        /// The headers in their order; one without a value has an empty one.
        ///
        /// - Throws: `RecordFault` for what is no text in UTF-8.
        package func headers() throws(RecordFault) -> [RowHeader] {
            var list: OpaquePointer?
            let code = unsafe rd_kafka_message_headers(message, &list)
            if code == RD_KAFKA_RESP_ERR__NOENT { return [] }
            guard code == RD_KAFKA_RESP_ERR_NO_ERROR, let list = unsafe list else {
                throw RecordFault(.undecodable, "its headers cannot be read")
            }
            var found: [RowHeader] = []
            while true {
                var name: UnsafePointer<CChar>?
                var value: UnsafeRawPointer?
                var size = 0
                guard
                    unsafe rd_kafka_header_get_all(list, found.count, &name, &value, &size)
                        == RD_KAFKA_RESP_ERR_NO_ERROR
                else { return found }
                guard let text = unsafe name.flatMap({ unsafe String(validatingCString: $0) })
                else { throw RecordFault(.undecodable, "a header's name is not UTF-8") }
                // SAFETY: the value has `size` bytes, which are copied.
                let bytes = unsafe value.map {
                    unsafe Array(UnsafeRawBufferPointer(start: $0, count: size))
                }
                found.append(RowHeader(text, bytes ?? []))
            }
        }
    }
#endif
