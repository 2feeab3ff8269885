internal import ArgumentParser
internal import FoundationEssentials

/// A moment on the command line: seconds since 1970, or a date and time as in RFC 3339.
struct TimeArgument: ExpressibleByArgument {
    /// Nanoseconds since 1970 UTC.
    let nanoseconds: Int64

    init?(argument: String) {
        let seconds: Double
        if let number = Double(argument) {
            seconds = number
        } else {
            do { seconds = try Date(argument, strategy: .iso8601).timeIntervalSince1970 } catch {
                return nil
            }
        }
        // Further away than rows can say.
        guard abs(seconds) < 9e9 else { return nil }
        nanoseconds = Int64(seconds * 1e9)
    }
}
