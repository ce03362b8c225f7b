"""Pictures that tests make for themselves."""

from __future__ import annotations

from PIL import Image, ImageDraw, ImageFont

from core.geometry import Box

SIGN_IN = Box(300, 300, 500, 344)
EMAIL = Box(200, 160, 600, 200)


def dialog(button: str = "Sign in", title: str = "Welcome back") -> Image.Image:
    """800 x 450: a title, two labelled fields, a button at SIGN_IN and a link."""
    image = Image.new("RGB", (800, 450), "#f4f5f7")
    draw = ImageDraw.Draw(image)
    draw.rounded_rectangle((150, 40, 650, 420), 12, fill="white", outline="#d0d4da")
    draw.text((400, 80), title, font=ImageFont.load_default(30), fill="#111827", anchor="mm")
    draw.text((200, 140), "Email address", font=ImageFont.load_default(17), fill="#374151", anchor="lm")
    draw.rounded_rectangle((EMAIL.x1, EMAIL.y1, EMAIL.x2, EMAIL.y2), 6, fill="white", outline="#9ca3af", width=2)
    draw.text((200, 222), "Password", font=ImageFont.load_default(17), fill="#374151", anchor="lm")
    draw.rounded_rectangle((200, 240, 600, 280), 6, fill="white", outline="#9ca3af", width=2)
    draw.rounded_rectangle((SIGN_IN.x1, SIGN_IN.y1, SIGN_IN.x2, SIGN_IN.y2), 8, fill="#1d4ed8")
    draw.text((400, 322), button, font=ImageFont.load_default(20), fill="white", anchor="mm")
    draw.text((400, 380), "Forgot your password?", font=ImageFont.load_default(17), fill="#1d4ed8", anchor="mm")
    return image
