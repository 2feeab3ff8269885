/// What topics, stages, groups and models may be called.
///
/// The same rule as Kafka's for topics, since the names become names of files and directories.
package enum EntityName {
    /// The longest name in bytes.
    package static let maxLength = 249

    /// The rule in words.
    package static let rule =
        "Use 1 to \(maxLength) letters, digits, dots, underscores and hyphens (a-z A-Z 0-9 . _ -)."

    /// Whether `name` follows the rule; `.` and `..` would be directories and do not.
    package static func isValid(_ name: String) -> Bool {
        guard (1...maxLength).contains(name.utf8.count), name != ".", name != ".." else {
            return false
        }
        return name.utf8.allSatisfy { byte in
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"):
                true
            case UInt8(ascii: "."), UInt8(ascii: "_"), UInt8(ascii: "-"): true
            default: false
            }
        }
    }
}
