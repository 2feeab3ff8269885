internal import Millrace

/// The value of `--cores`.
enum CoreArgument {
    static func parse(_ text: String) throws(GroupError) -> [Int] {
        try CoreList(parsing: text).cores
    }
}
