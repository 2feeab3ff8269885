internal import ArgumentParser
internal import MillraceKafka

/// How long brokers may be away.
struct KafkaPatienceOption: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            """
            How long brokers may be away, in seconds. Default: \
            \(String(MirrorOptions.defaultPatienceMilliseconds / 1000)).
            """, valueName: "seconds"))
    var patience: Int?

    func validate() throws {
        let range = MirrorOptions.patienceSeconds
        if let patience, !range.contains(patience) {
            throw ValidationError(
                "--patience is \(range.lowerBound) to \(range.upperBound) seconds")
        }
    }

    /// The same in milliseconds; nil where nothing was said.
    var milliseconds: Int? { patience.map { $0 * 1000 } }
}
