internal import Glibc

/// Variables of the environment.
enum EnvironmentText {
    /// The value of a variable; nil when it is not set.
    static func value(_ name: String) -> String? {
        // SAFETY: the text is copied at once; nothing here changes the environment.
        unsafe getenv(name).map { unsafe String(cString: $0) }
    }
}
