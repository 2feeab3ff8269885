#if Kafka
    internal import MillraceSystem

    /// A call of librdkafka that may never return, made where nobody waits for it for ever.
    final class DetachedCall<Answer: Sendable>: Sendable {
        private let answer = Lock<Answer?>(nil)
        private let isOver = Gate()

        private init() {}

        /// Calls `body` on a thread of its own, and waits for what it returns.
        ///
        /// What is not back in time goes on by itself, as long as it takes, and keeps what `body` holds.
        ///
        /// - Returns: nil when `body` has not returned within `milliseconds`.
        static func answer(
            within milliseconds: Int, _ body: @escaping @Sendable () -> Answer
        ) -> Answer? {
            let call = DetachedCall()
            do throws(SystemError) {
                _ = try PinnedThread(name: "kafka call", core: nil) {
                    let answer = body()
                    call.answer.withLock { $0 = answer }
                    call.isOver.open()
                }
            } catch {
                // Without a thread there is no other way than to wait.
                return body()
            }
            _ = call.isOver.wait(milliseconds: milliseconds)
            return call.answer.withLock { $0 }
        }
    }
#endif
