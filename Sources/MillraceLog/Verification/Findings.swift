/// What the verification of one partition or file has found so far.
struct Findings: Sendable {
    var counts = TopicVerification.Counts()
    var faults: [TopicVerification.Fault] = []
    var notes: [TopicVerification.Note] = []

    mutating func note(_ path: String, _ text: String) {
        notes.append(TopicVerification.Note(path: path, text: text))
    }

    /// Records a refusal of the code that reads the same bytes for users.
    ///
    /// `what` was expected, where the refusal does not say it more closely.
    mutating func refused(_ effect: TopicVerification.Effect, _ what: String, _ error: LogError) {
        faults.append(
            TopicVerification.Fault(
                effect, error.path ?? "", at: error.position, expected: error.expected ?? what,
                found: error.found ?? error.message))
    }
}
