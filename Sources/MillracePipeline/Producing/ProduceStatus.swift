internal import Synchronization

/// What a producer at work lets others see.
///
/// **Thread-safety**: one thread notes, any looks.
final class ProduceStatus: Sendable {
    private let stage: StageStatus
    private let bytesRead = Atomic<Int>(0)
    /// Bytes of the file; -1 where it has no end that is known.
    private let bytesTotal = Atomic<Int>(-1)

    init(topic: String) { stage = StageStatus(name: topic, kind: "produce") }

    func begin() { stage.begin(cores: []) }
    func end(_ state: StageProgress.State) { stage.end(state) }

    /// So many rows are in the topic by now, and so much of the file has been read.
    func note(rows: Int, file: (read: Int, total: Int)?) {
        stage.add(rows: rows - stage.rowsDone)
        guard let file else { return }
        bytesRead.store(file.read, ordering: .relaxed)
        bytesTotal.store(file.total, ordering: .relaxed)
    }

    var progress: StageProgress {
        var progress = stage.snapshot(total: nil)
        let total = bytesTotal.load(ordering: .relaxed)
        if total >= 0 {
            // It may have grown since it was opened.
            let read = bytesRead.load(ordering: .relaxed)
            progress.bytes = StageProgress.FileBytes(read: min(read, total), total: total)
        }
        return progress
    }
}
