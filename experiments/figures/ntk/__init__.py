"""Figures of family `ntk`, rates of finite networks towards their tangent kernel."""
