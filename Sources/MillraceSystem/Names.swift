/// What topics, groups, stages, producers and models may be called: Kafka's rule for topics.
///
/// Names become names of files and directories.
package enum Names {
    /// The longest name in bytes.
    package static let maxLength = 249

    /// The rule in words.
    package static let rule =
        "Use 1 to \(maxLength) letters, digits, dots, underscores and hyphens (a-z A-Z 0-9 . _ -)."

    /// Whether `name` follows the rule; `.` and `..` would be directories and do not.
    package static func isValid(_ name: String) -> Bool {
        let bytes = name.utf8
        guard (1...maxLength).contains(bytes.count), name != ".", name != ".." else {
            return false
        }
        return bytes.allSatisfy {
            switch $0 {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "."), UInt8(ascii: "_"),
                UInt8(ascii: "-"):
                true
            default: false
            }
        }
    }
}
