/// The rules for names of topics, groups, producers and models: Kafka's.
package enum Names {
    /// Whether `name` is 1 to 249 characters of `a-z A-Z 0-9 . _ -` and neither `.` nor `..`.
    package static func isValid(_ name: String) -> Bool {
        let bytes = name.utf8
        guard (1...249).contains(bytes.count), name != ".", name != ".." else { return false }
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

    static func check(_ name: String, _ what: String) throws(LogError) {
        guard isValid(name) else {
            throw LogError(
                .invalidArgument,
                "\(what) name '\(name)' is not allowed: use 1 to 249 characters of a-z, A-Z, "
                    + "0-9, '.', '_' and '-'")
        }
    }
}
