"""Family D, J18, L19, N20: networks of finite width against their infinite-width limit."""
