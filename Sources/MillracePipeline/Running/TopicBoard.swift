internal import MillraceLog
internal import MillraceSystem

/// The topics of a run, as they come into being: a feature topic exists once its specification is
/// frozen.
final class TopicBoard: Sendable {
    private let topics = Lock<[String: Topic]>([:])
    private let stop: StopFlag

    init(stop: StopFlag) { self.stop = stop }

    func add(_ topic: Topic) { topics.withLock { $0[topic.name] = topic } }

    /// The topic if it is there.
    func find(_ name: String) -> Topic? { topics.withLock { $0[name] } }

    /// Waits for a topic; nil when the run is stopped first.
    func wait(for name: String) -> Topic? {
        while !stop.isSet {
            if let topic = find(name) { return topic }
            PinnedThread.sleep(nanoseconds: 1_000_000)
        }
        return nil
    }
}
